"""Files that have secrets, by their names: no tool shows what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.tool_sources.glob import name_matches

if TYPE_CHECKING:
    from collections.abc import Sequence

_FOLDERS = frozenset(
    {
        *(".git", ".ssh", ".gnupg", ".aws", ".azure", ".gcloud", ".kube", ".docker", ".password-store"),
        *("gcloud", "gh", "keyrings", ".mozilla", "keychains"),
    }
)
_FILES = (
    *(".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".pgpass", ".my.cnf", ".npmrc", ".pypirc"),
    *(".git-credentials", ".htpasswd", ".vault-token", ".dockercfg", ".terraformrc", "*.tfstate", "*.tfstate.*"),
    *("credentials", "credentials.json", ".credentials.json", "auth.json", ".claude.json", "oauth_creds.json"),
    *("secrets.json", "secrets.y*ml", "secrets.toml", "service-account*.json", "client_secret*.json"),
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_*_sk", "*.pem", "*.key", "*.p12", "*.pfx", "*.ppk"),
    *("*.jks", "*.keystore", "*.kdbx", "*.gpg", ".bash_history", ".zsh_history", ".python_history"),
)
_EXAMPLES = (".example", ".sample", ".template", ".dist", ".defaults")
_ONLY_IN_CONFIG = frozenset({"gcloud", "gh"})  # elsewhere, these are names like any other


def is_secret(parts: Sequence[str]) -> bool:
    """Return whether a path names a file with secrets, or is in a folder of them. Case makes no difference."""
    folded = [part.casefold() for part in parts]
    for i, name in enumerate(folded):
        if name in _FOLDERS and (name not in _ONLY_IN_CONFIG or (i and folded[i - 1] == ".config")):
            return True
    if not folded or folded[-1].endswith(_EXAMPLES):
        return False
    return any(name_matches(pattern, folded[-1]) for pattern in _FILES)
