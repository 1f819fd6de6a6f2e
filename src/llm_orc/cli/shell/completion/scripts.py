"""The completion scripts. Each asks this program, with the command line in variables of the environment."""

from __future__ import annotations

_BASH = """\
# Completion of llm-orc for bash
_llm_orc_completion() {
    local line="${COMP_LINE:0:COMP_POINT}" word="${COMP_WORDS[COMP_CWORD]}" type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            plain)
                [[ $word != [\\"\\']* ]] && printf -v value %q "$value"
                COMPREPLY+=("$value") ;;
            path)
                compopt -o filenames 2>/dev/null
                [[ $value == */ ]] && compopt -o nospace 2>/dev/null
                COMPREPLY+=("$value") ;;
            file) compopt -o default 2>/dev/null || COMPREPLY=($(compgen -f -- "$word")) ;;
            dir) compopt -o dirnames 2>/dev/null || COMPREPLY=($(compgen -d -- "$word")) ;;
        esac
    done < <(_LLM_ORC_COMPLETE=bash_complete _LLM_ORC_LINE="$line" _LLM_ORC_BREAKS="$COMP_WORDBREAKS" \\
        "$1" 2>/dev/null)
}
complete -o nosort -F _llm_orc_completion llm-orc 2>/dev/null || complete -F _llm_orc_completion llm-orc
"""

_ZSH = """\
#compdef llm-orc
# Completion of llm-orc for zsh

_llm_orc_completion() {
    local -a response described plain
    local type key descr
    (( ! $+commands[llm-orc] )) && return 1
    response=("${(@f)$(env COMP_WORDS="${(j: :)words[1,CURRENT]}" COMP_CWORD=$((CURRENT-1)) \\
        _LLM_ORC_COMPLETE=zsh_complete llm-orc 2>/dev/null)}")
    for type key descr in ${response}; do
        case $type in
            plain) if [[ $descr == _ ]]; then plain+=("$key"); else described+=("${key}:${descr}"); fi ;;
            path) if [[ $key == */ ]]; then compadd -U -S '' -- "$key"; else compadd -U -- "$key"; fi ;;
            dir) _path_files -/ ;;
            file) _path_files -f ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described -U
    (( $#plain )) && compadd -U -V unsorted -a plain
    return 0
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _llm_orc_completion "$@"
else
    compdef _llm_orc_completion llm-orc
fi
"""

_FISH = """\
# Completion of llm-orc for fish
function _llm_orc_completion
    set -l response (env _LLM_ORC_COMPLETE=fish_complete COMP_WORDS=(commandline -cp | string collect) \\
        COMP_CWORD=(commandline -ct | string collect) llm-orc 2>/dev/null)
    for completion in $response
        set -l parts (string split -m 1 "," -- $completion)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain path
                echo $parts[2]
        end
    end
end
complete --command llm-orc --no-files --keep-order --arguments "(_llm_orc_completion)"
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
