"""Which test proves which rule for a native OAuth client, and which failure seen in the field: a map that is checked.

The rules are those of RFC 6749, 6750, 7009, 7636, 8252, 8414, 8628, 9207 and 9700, in the order in which a sign-in
meets them. A test that is renamed or removed must be followed here.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

_TESTS = Path(__file__).parent.parent

RULES: dict[str, tuple[str, ...]] = {
    "8252 8.12: an external browser, over https or loopback alone": (
        "auth/oauth/test_authorize.py::no_browser_is_sent_where_https_does_not_hold",
        "auth/methods/test_browser.py::console_browsers_are_known_by_any_path_and_argument",
    ),
    "8252 7.3, 8.3: the redirect is a literal address": (
        "auth/oauth/test_loopback.py::the_redirect_is_a_literal_address_with_a_port_of_its_own",
        "auth/oauth/test_loopback.py::a_server_that_knows_only_the_name_localhost_gets_it",
    ),
    "8252 7.3: an ephemeral port, IPv6 after IPv4, then the paste": (
        "auth/oauth/test_loopback.py::where_ipv4_can_not_be_bound_ipv6_is_used",
        "auth/methods/test_oauth_browser.py::without_any_port_the_paste_is_left",
    ),
    "8252 8.3: the listener lives as long as the request": (
        "auth/oauth/test_loopback.py::however_it_ends_no_port_task_or_descriptor_is_left",
        "auth/methods/test_oauth_browser.py::it_ends_when_its_time_is_up_and_leaves_no_listener",
    ),
    "a callback counts once, and nothing else ends the sign-in": (
        "auth/oauth/test_loopback.py::whatever_else_comes_is_turned_away_and_the_sign_in_goes_on",
        "auth/oauth/test_loopback.py::a_second_callback_is_told_that_it_is_late",
    ),
    "8252 8.5: no client secret": (
        "auth/oauth/test_token_endpoint.py::the_package_has_no_word_for_a_client_secret_or_the_other_grants",
        "auth/oauth/test_token_endpoint.py::the_code_goes_in_the_body_with_its_verifier_and_no_client_secret",
    ),
    "6749 10.12: state, random and for one response": (
        "auth/oauth/test_authorize.py::a_response_without_state_is_not_ours",
        "auth/oauth/test_authorize.py::a_state_is_good_for_one_response",
        "auth/methods/test_oauth_browser.py::a_forged_callback_sends_nothing_and_the_right_one_still_works",
    ),
    "6749 4.1.3: the same redirect in both requests": (
        "auth/oauth/test_with_authlib.py::the_redirect_must_be_the_one_that_was_asked_with",
    ),
    "7636 4.1, 7.1: the verifier": (
        "auth/oauth/test_pkce.py::the_pair_of_appendix_b_comes_out",
        "auth/oauth/test_pkce.py::ten_thousand_verifiers_are_all_different_and_match_their_challenge",
        "auth/oauth/test_pkce.py::256_random_bits_are_asked_for",
    ),
    "7636 4.2: S256 and never less": (
        "auth/oauth/test_token_failures.py::the_challenge_method_is_never_downgraded",
    ),
    "9700 2.1.1: a challenge for this transaction alone": (
        "auth/oauth/test_with_authlib.py::a_code_with_the_verifier_of_another_sign_in_is_worthless",
        "auth/oauth/test_with_authlib.py::two_sign_ins_at_once_do_not_mix",
    ),
    "9700 4.4: a callback of another server": (
        "auth/methods/test_oauth_browser.py::a_callback_from_another_server_is_refused_before_any_token_request",
    ),
    "9207 2.4: iss, exactly": (
        "auth/oauth/test_authorize.py::the_issuer_is_compared_exactly",
        "auth/oauth/test_authorize.py::a_code_alone_does_not_do_where_the_server_promised_its_name",
    ),
    "8414 3.1, 3.3: metadata of this very issuer, over https": (
        "auth/oauth/test_metadata.py::metadata_of_another_issuer_is_not_used",
        "auth/oauth/test_metadata.py::the_well_known_part_goes_before_the_issuers_path_or_after_it",
        "auth/oauth/test_metadata.py::metadata_behind_a_redirect_is_not_used",
        "auth/oauth/test_metadata.py::an_issuer_that_is_not_a_plain_https_address_is_not_asked",
    ),
    "9700 2.1.2, 2.4: no implicit grant, no password grant": (
        "auth/oauth/test_token_endpoint.py::the_package_has_no_word_for_a_client_secret_or_the_other_grants",
    ),
    "9700 2.3: the scopes that are needed": (
        "settings/test_presets.py::a_preset_asks_for_these_scopes_and_no_more",
    ),
    "6749 5.1: the token response": (
        "auth/oauth/test_token_endpoint.py::the_token_type_is_read_in_any_case",
        "auth/oauth/test_token_endpoint.py::a_token_of_an_unknown_type_is_not_used",
        "auth/oauth/test_token_endpoint.py::an_odd_lifetime_is_an_unknown_one",
        "auth/oauth/test_token_endpoint.py::unknown_fields_of_the_answer_are_dropped",
    ),
    "6749 5.2: the error response": (
        "auth/oauth/test_token_failures.py::each_answer_has_one_meaning",
        "auth/test_refresh_failures.py::invalid_grant_ends_this_refresh_token_and_deletes_nothing",
    ),
    "6749 6: a new refresh token replaces the old, none keeps it": (
        "auth/test_refresh.py::an_answer_without_refresh_token_keeps_the_old_one",
        "auth/oauth/test_with_authlib.py::each_refresh_brings_a_new_refresh_token_and_ends_the_old",
    ),
    "6749 6: a refresh asks for no more": ("auth/test_refresh.py::a_refresh_asks_for_no_scope",),
    "9700 4.14.2: rotation, one refresh for all": (
        "auth/test_refresh_processes.py::fifty_processes_at_expiry_are_one_refresh",
        "auth/test_refresh.py::all_who_wait_in_a_process_share_one_exchange",
    ),
    "7009 2: revocation, told truthfully": (
        "auth/oauth/test_revoke.py::the_refresh_token_goes_first_then_the_access_token",
        "auth/oauth/test_revoke.py::a_busy_server_still_knows_the_token",
        "auth/oauth/test_revoke.py::what_the_server_did_not_confirm_is_not_said_to_be",
    ),
    "8628 3.2, 3.5: polling": (
        "auth/oauth/test_device.py::slow_down_adds_five_seconds_for_good",
        "auth/oauth/test_device.py::a_lost_connection_doubles_the_interval",
        "auth/oauth/test_device.py::it_stops_when_the_code_runs_out",
    ),
    "8628 3.3.1: page and code are shown": (
        "auth/methods/test_oauth_device.py::the_code_and_its_page_are_shown_even_where_the_complete_page_opens",
        "auth/oauth/test_device.py::a_page_that_is_not_https_is_not_shown",
    ),
    "6750 2: the token in its header, to its host alone": (
        "net/test_http.py::follows_no_redirect",
        "auth/oauth/test_secrets.py::no_secret_is_in_a_log_traceback_repr_or_address",
    ),
    "6750 3.1: 401 renews once, 403 never": (
        "auth/test_refused_tokens.py::many_refusals_of_one_token_are_one_exchange",
        "app/access/test_stored_access.py::a_token_that_is_revoked_in_the_middle_of_a_run_is_renewed_once",
    ),
    "6750 5.2: certificates are checked": (
        "auth/oauth/test_token_endpoint.py::certificates_are_checked_and_a_users_own_authority_may_be_added",
        "net/test_http.py::an_unknown_certificate_is_refused",
    ),
    "6750 5.3: tokens stay secret": (
        "cli/shell/test_no_secret_leaks.py::a_provider_that_repeats_the_key_finds_no_echo_of_ours",
        "cli/shell/test_no_secret_leaks.py::every_command_around_a_stored_key_keeps_it",
        "auth/test_storage.py::no_secret_is_on_the_disk_or_in_anything_that_python_shows",
    ),
    "OAuth 2.1: exact redirects": (
        "auth/methods/test_oauth_browser.py::a_redirect_that_can_not_be_ours_is_refused",
    ),
}

FAILURES: dict[str, tuple[str, ...]] = {
    "two processes refresh": ("auth/test_refresh_processes.py::processes_that_share_a_sign_in_refresh_it_once",),
    "a failed refresh deletes": (
        "auth/test_refresh_failures.py::invalid_grant_ends_this_refresh_token_and_deletes_nothing",
        "auth/test_refresh_failures.py::a_new_sign_in_clears_the_end_of_the_old_one",
    ),
    "a death between exchange and save": (
        "auth/test_refresh_failures.py::the_mark_is_in_the_store_before_the_token_goes_out",
        "auth/test_refresh_failures.py::a_lost_answer_without_grace_is_told_truthfully",
        "auth/test_refresh_failures.py::a_mark_that_a_killed_process_left_is_not_touched_while_the_access_token_lives",
        "auth/test_refresh.py::a_refresh_survives_the_cancellation_of_whoever_asked_for_it",
    ),
    "a damaged file, a locked keychain": (
        "auth/test_store_states.py::a_store_that_is_no_good_is_told_apart_and_never_written",
        "auth/test_store_keys.py::a_store_whose_keychain_does_not_answer_is_locked_and_never_made_anew",
    ),
    "a keychain that cuts or hangs": (
        "auth/test_store_keys.py::a_key_in_a_working_keychain_opens_the_store_and_is_nowhere_on_the_disk",
        "auth/test_store_keys.py::a_keychain_that_hangs_is_ended_in_time_with_all_that_it_started_and_left_alone_for_a_while",
    ),
    "the port is taken": (
        "auth/methods/test_oauth_browser.py::a_port_that_the_server_insists_on_and_that_is_taken_leaves_the_paste",
    ),
    "no browser, or one of text": (
        "auth/methods/test_browser.py::where_none_can_open_the_paste_is_offered_at_once",
        "auth/methods/test_oauth_browser.py::without_a_terminal_it_fails_at_once_and_names_the_command",
    ),
    "a wrong clock": (
        "auth/oauth/test_token_endpoint.py::times_are_counted_from_when_the_answer_came_and_the_servers_clock_is_noted",
        "cli/auth/test_signed_in.py::a_clock_that_is_far_off_is_shown_and_does_no_harm",
    ),
    "a token ends in a long run": (
        "app/access/test_stored_access.py::a_run_that_outlives_its_tokens_several_times_over_completes",
    ),
    "429 at the token endpoint": (
        "auth/test_refresh_failures.py::a_busy_token_endpoint_is_a_cool_down_for_every_process",
        "auth/test_refresh_failures.py::a_live_token_goes_on_being_used_through_a_cool_down",
        "auth/methods/test_oauth_browser.py::a_busy_server_gets_the_same_code_again",
    ),
    "a secret in the process list": (
        "cli/shell/test_no_secret_leaks.py::a_secret_among_the_arguments_is_refused_and_not_repeated",
    ),
    "a file that others can read": (
        "auth/test_store_states.py::a_mode_that_lets_others_in_is_repaired_with_a_notice",
        "auth/test_store_states.py::a_link_in_the_files_place_is_refused_and_kept",
    ),
    "a stray key bills": (
        "app/access/test_official_cli.py::a_poisoned_environment_is_never_on_the_wire_unless_chosen",
        "app/access/test_official_cli.py::no_key_takes_over_that_nobody_allowed",
    ),
    "a status that rests on a file alone": (
        "cli/auth/test_signed_in.py::a_lapsed_sign_in_is_called_so_and_renews_itself",
        "cli/auth/test_official_cli.py::status_shows_it_as_seen_and_not_proven",
    ),
    "a lock that is left or not to be had": (
        "auth/test_store_crashes.py::a_writer_that_waits_too_long_is_told_which_process_it_waits_for",
        "auth/test_storage.py::a_place_without_locks_is_a_clear_error",
    ),
    "many official CLIs on one login": (
        "providers/official_cli/test_claude.py::the_first_call_goes_alone_and_what_closes_the_way_is_asked_once",
    ),
}


@cache
def _names(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name.removeprefix("test_") for function in functions)


def test_every_rule_and_every_failure_is_there() -> None:
    assert (len(RULES), len(FAILURES)) == (29, 16)


@pytest.mark.parametrize(("rule", "tests"), [*RULES.items(), *FAILURES.items()], ids=lambda value: str(value)[:40])
def test_a_test_proves_it(rule: str, tests: tuple[str, ...]) -> None:
    missing = [
        test
        for file, _, name in (test.partition("::") for test in tests)
        for test in [f"{file}::{name}"]
        if not (_TESTS / file).is_file() or (name and name not in _names(_TESTS / file))
    ]

    assert missing == []
