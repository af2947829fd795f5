"""Checks that a repository on GitHub has the settings that its workflows rely on."""

from __future__ import annotations

import fnmatch
import json
import os
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from headworks._github.client import GitHub, UnavailableError, UnseenError
from headworks._quantities import few

if TYPE_CHECKING:
    from headworks._github.workflows import Workflows

_OWN = ("actions", "github")
_ENVIRONMENT = r"^\s+environment:\s*(?:\n\s+name:\s*)?[\"']?([\w./-]+)[\"']?\s*$"
_PAGES = "github-pages"  # whose every publication would wait for a person
_OF_PRIVATE = " A private repository needs a paid plan for this."


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A setting that workflows rely on.

    Attributes:
        check: The key of its check in `CHECKS`.
        about: What it is about, as the name of a variable; empty where the check has one finding.
        state: `ok`; `missing`; `off` for a choice, whose consequence the text says; `unknown` where the token may not
            see it.
        text: What there is.
        advice: What to do; empty where there is nothing to do.
    """

    check: str
    about: str = ""
    state: str
    text: str
    advice: str = ""


@dataclass
class _Asked:
    """The repository on GitHub, its workflows, and the name of the required check."""

    github: GitHub
    workflows: Workflows
    required: str

    @property
    def branch(self) -> str:
        """The default branch."""
        return str(self.github.about["default_branch"])

    @cached_property
    def rules(self) -> dict[str, list[dict[str, Any]]]:
        """The rules for the default branch by their types."""
        rules: dict[str, list[dict[str, Any]]] = {}
        for rule in self.github.items(f"rules/branches/{urllib.parse.quote(self.branch, safe='')}"):
            rules.setdefault(rule["type"], []).append(rule)
        return rules


_Row = tuple[str, str, str, str]  # about, state, text, advice
_Check = Callable[[_Asked], Iterator[_Row]]


def _row(about: str, is_there: object, there: str, lacking: str, advice: str = "", state: str = "missing") -> _Row:
    """Return a finding: one text where the setting is there, another, a state and an advice where it is not."""
    return (about, "ok", there, "") if is_there else (about, state, lacking, advice)


def _files(users: Mapping[str, list[str]]) -> str:
    """Return the names of the files that use something."""
    return few(list(dict.fromkeys(chain(*users.values()))))


def _api(asked: _Asked, method: str, path: str, *fields: str) -> str:
    """Return a command that changes a setting."""
    given = "".join(f" -F {it}" for it in fields)
    return f"gh api --method {method} repos/{asked.github.name}{path and f'/{path}'}{given}"


def _branch(asked: _Asked) -> Iterator[_Row]:
    named = asked.workflows.users(r"\brefs/heads/([\w./-]+)'")
    there = f"the default branch is {asked.branch}"
    fix = f"gh repo edit {asked.github.name} --default-branch {next(iter(named), '')}"
    lacking = f"{there}, and workflows save their verdicts on {few([*named])}"
    yield _row("", asked.branch in named or not named, there, lacking, fix)


def _actions(asked: _Asked) -> Iterator[_Row]:
    given = asked.github.get("actions/permissions")
    used = [it for it in asked.workflows.users(r"\buses:\s*[\"']?([\w.-]+/[^\s\"'@]+@[^\s\"']+)") if it[0] != "."]
    if given["enabled"] and given["allowed_actions"] == "selected":
        chosen = asked.github.get("actions/permissions/selected-actions")
        patterns = chosen["patterns_allowed"] + [f"{it}/*" for it in _OWN if chosen["github_owned_allowed"]]
        used = [it for it in used if not any(fnmatch.fnmatchcase(it, pattern) for pattern in patterns)]
        if used and chosen["verified_allowed"]:
            yield "", "unknown", f"only verified creators may be used; look whether these are: {few(used)}", ""
            return
    refused = [] if given.get("allowed_actions") == "all" else used
    lacking = f"not allowed to run: {few(refused)}" if given["enabled"] else "Actions are turned off"
    fix = "Allow it under Settings, Actions, General."
    yield _row("", given["enabled"] and not refused, "all that the workflows use may run", lacking, fix)


def _token(asked: _Asked) -> Iterator[_Row]:
    given = asked.github.get("actions/permissions/workflow")
    may_open = given["can_approve_pull_request_reviews"]
    users = asked.workflows.users(r"(\bcreate-pull-request@|\bgh pr create\b)")
    fields = ("default_workflow_permissions=read", f"can_approve_pull_request_reviews={'true' if users else 'false'}")
    fix, start = _api(asked, "PUT", "actions/permissions/workflow", *fields), "a job that asks for no permission may"
    yield _row("", given["default_workflow_permissions"] == "read", f"{start} only read", f"{start} write", fix)
    if users:
        rest = f"open pull requests, as {_files(users)} does"
        yield _row("pull requests", may_open, f"Actions may {rest}", f"Actions may not {rest}", fix)


def _enabled(asked: _Asked) -> Iterator[_Row]:
    states = {it["path"]: it["state"] for it in asked.github.items("actions/workflows", "workflows")}
    for path in asked.workflows.files():
        name, state = os.path.basename(path), states.get(path, "")
        fix = f"gh workflow enable {name} --repo {asked.github.name}" if state else f"Push it to {asked.branch}."
        lacking = state.replace("_", " ") or f"{asked.branch} does not have it yet"
        yield _row(name, state == "active", "active", lacking, fix)


def _required(asked: _Asked) -> Iterator[_Row]:
    name, rules = asked.required, asked.rules.get("required_status_checks", [])
    checks = [(it["context"], it.get("integration_id")) for r in rules for it in r["parameters"][r["type"]]]
    branch = asked.github.get(f"branches/{urllib.parse.quote(asked.branch, safe='')}", is_public=True) or {}
    classic = (branch.get("protection") or {}).get("required_status_checks") or {}
    apps = {
        app
        for context, app in checks + [(it["context"], it["app_id"]) for it in classic.get("checks", ())]
        if context == name
    }
    fix = f"{_api(asked, 'POST', 'rulesets')} --input .github/rulesets/main.json"
    fix += _OF_PRIVATE if asked.github.about["private"] else ""
    lacking = f"nothing asks for the check {name!r} before a merge to {asked.branch}"
    if apps and asked.github.app("github-actions") not in apps:
        lacking = f"the check {name!r} may come from any app or person that may set a status"
        apps, fix = set(), f"Take GitHub Actions as the source of {name!r} in the rule."
    elif apps and len(jobs := asked.workflows.jobs_called(name.partition(" / ")[0])) > 1:
        lacking, apps, fix = f"each job of that name satisfies it: {few(jobs, 9)}", set(), "Rename all of them but one."
    yield _row("", apps, f"{name!r} of GitHub Actions is required on {asked.branch}", lacking, fix)


def _ruleset(asked: _Asked) -> Iterator[_Row]:
    for name, wanted in asked.workflows.rulesets().items():
        lacking = []
        for rule in wanted:
            found, given = asked.rules.get(rule["type"], []), rule.get("parameters", {})
            differing = [sorted(_differing(given, it.get("parameters", {}))) for it in found]
            if all(differing):  # as well where there is no such rule
                lacking.append(f"{rule['type']}{f' ({few(differing[0])})' if differing else ''}")
        text = f"{asked.branch} has no rule like the file's: {few(lacking, 9)}"
        fix = "Change the ruleset on GitHub or the file, so that both say the same."
        yield _row(name, not lacking, f"all its rules are active on {asked.branch}", text, fix)


def _differing(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parameters that differ in a rule; a list may have more than is wanted."""
    for key, value in wanted.items():
        has = found.get(key)
        if not (all(it in (has or ()) for it in value) if isinstance(value, list) else has == value):
            yield f"{key} is {json.dumps(has)}, in the file {json.dumps(value)}"


def _bypass(asked: _Asked) -> Iterator[_Row]:
    for number in sorted({it["ruleset_id"] for it in asked.rules.get("required_status_checks", ())}):
        actors = (asked.github.get(f"rulesets/{number}") or {}).get("bypass_actors")
        if actors is None:
            yield str(number), "unknown", "GitHub shows only to those who may change a ruleset who may bypass it", ""
        else:
            lacking = f"may be bypassed by {few(sorted({str(it['actor_type']) for it in actors}))}"
            fix = "Remove them from the bypass list of the ruleset."
            yield _row(str(number), not actors, "nobody may bypass it", lacking, fix)


def _queue(asked: _Asked) -> Iterator[_Row]:
    if users := asked.workflows.users(r"^  (merge_group):"):
        is_personal = asked.github.about["owner"]["type"] == "User"
        why = "a person has none" if is_personal else "a private repository needs the enterprise plan"
        text = f"there is none ({why}): {_files(users)} tests a change without those that are merged before it"
        yield _row("", "merge_queue" in asked.rules, f"{asked.branch} has one", text, state="off")


def _merging(asked: _Asked) -> Iterator[_Row]:
    if users := asked.workflows.users(r"\bgh pr (merge) [^\n]*--auto\b"):
        allowed = asked.github.about.get("allow_auto_merge")
        if allowed is None:
            yield "", "unknown", "GitHub shows only to those who may write whether a pull request may merge itself", ""
        else:
            lacking = f"no pull request may merge itself once its checks have passed, which {_files(users)} asks for"
            fix = _api(asked, "PATCH", "", "allow_auto_merge=true")
            yield _row("", allowed, "a pull request may merge itself once its checks have passed", lacking, fix)


def _owners(asked: _Asked) -> Iterator[_Row]:
    if os.path.exists(os.path.join(asked.workflows.top, ".github/CODEOWNERS")):
        answer = asked.github.get("codeowners/errors", is_public=True) or {"errors": []}
        lines = [f"line {it['line']} ({it['kind']})" for it in answer["errors"]]
        fix = "Name people or teams that may write to the repository."
        yield _row("", not lines, "each line names somebody", f"nobody is asked for reviews by {few(lines)}", fix)


def _settings(kind: str, pattern: str, state: str) -> _Check:
    """Return the check that variables or secrets are set which workflows read."""

    def check(asked: _Asked) -> Iterator[_Row]:
        users = asked.workflows.users(pattern)
        names = [kind] if asked.github.about["owner"]["type"] == "User" else [kind, f"organization-{kind}"]
        found = {it["name"] for name in names if users for it in asked.github.items(f"actions/{name}", kind)}
        for name, files in users.items():
            fix = f"gh {kind[:-1]} set {name} --repo {asked.github.name}"
            yield _row(name, name in found, "it is set", f"it is not set, and {few(files)} reads it", fix, state)

    return check


def _environments(asked: _Asked) -> Iterator[_Row]:
    if users := asked.workflows.users(_ENVIRONMENT):
        known = {it["name"]: it for it in asked.github.items("environments", "environments")}
        for name, files in users.items():
            lacking = {
                f"there is none: GitHub makes one that is open to all once {few(files)} runs": name in known,
                "a workflow of any branch may use it": known.get(name, {}).get("deployment_branch_policy"),
                "nobody has to approve what uses it": name == _PAGES
                or any(it["type"] == "required_reviewers" for it in known.get(name, {}).get("protection_rules", ())),
            }
            fix = "Set it under Settings, Environments." + (_OF_PRIVATE if asked.github.about["private"] else "")
            text = next((text for text, is_there in lacking.items() if not is_there), "")
            yield _row(name, not text, "guarded", text, fix)


def _caches(asked: _Asked) -> Iterator[_Row]:
    for start in asked.workflows.users(r"restore-keys:\s*([\w.-]+)\s*$"):
        query = urllib.parse.urlencode({"key": start, "ref": f"refs/heads/{asked.branch}"})
        count = asked.github.get(f"actions/caches?{query}")["total_count"]
        lacking, fix = "there is none, so that every run starts without", f"A run for {asked.branch} saves it."
        yield _row(start, count, f"{asked.branch} has {count:,}", lacking, fix, "off")


def _pages(asked: _Asked) -> Iterator[_Row]:
    if users := asked.workflows.users(r"^\s+(pages): write\b"):
        pages = asked.github.get("pages") if asked.github.about["has_pages"] else {}
        lacking = f"{_files(users)} cannot publish: " + ("their source is a branch" if pages else "they are turned off")
        fix = _api(asked, "PUT" if pages else "POST", "pages", "build_type=workflow")
        there = f"workflows publish {pages.get('html_url')}"
        yield _row("", pages.get("build_type") == "workflow", there, lacking, fix, "off")


def _security(asked: _Asked) -> Iterator[_Row]:
    alerts = asked.github.get("vulnerability-alerts") is not None
    fix, lacking = _api(asked, "PUT", "vulnerability-alerts"), "nobody is told about known faults in packages"
    yield _row("alerts", alerts, "known faults in packages are reported", lacking, fix)
    given = asked.github.about.get("security_and_analysis")
    if given is None:
        yield "secrets", "unknown", "only an administrator sees whether pushes are searched for secrets", ""
        return
    is_on = given.get("secret_scanning_push_protection", {}).get("status") == "enabled"
    state = "off" if asked.github.about["private"] else "missing"  # free for public repositories only
    fix = "Turn it on under Settings, Advanced Security."
    yield _row("secrets", is_on, "a push with a known kind of secret is refused", "no push is searched", fix, state)


CHECKS: Mapping[str, _Check] = {
    "default branch": _branch,
    "actions": _actions,
    "token": _token,
    "workflow": _enabled,
    "required": _required,
    "ruleset": _ruleset,
    "bypass": _bypass,
    "merge queue": _queue,
    "auto-merge": _merging,
    "owners": _owners,
    "variable": _settings("variables", r"\bvars\.(\w+)", "off"),
    "secret": _settings("secrets", r"\bsecrets\.(?!GITHUB_TOKEN)(\w+)", "missing"),
    "environment": _environments,
    "cache": _caches,
    "pages": _pages,
    "security": _security,
}


def findings(github: GitHub, workflows: Workflows, required: str) -> list[Finding]:
    """Return each setting that workflows rely on, in the order of the checks.

    Args:
        github: The repository on GitHub.
        workflows: Its workflows.
        required: The name of the check that has to pass before a merge.

    Raises:
        CannotDecideError: GitHub cannot be reached, or refuses every call.
    """
    found = []
    for name, check in CHECKS.items():
        try:
            rows = list(check(_Asked(github, workflows, required)))
        except UnseenError as error:
            advice = "Ask an administrator, or take a token that may read the repository's administration."
            rows = [("", "unknown", f"GitHub does not show it to this token: {error}", advice)]
        except UnavailableError as error:
            rows = [("", "missing", f"the owner's plan does not have it: {error}", "")]
        except (AttributeError, KeyError, TypeError) as error:
            text = f"GitHub's answer has another form than documented ({error!r})"
            rows = [("", "unknown", text, "Take a newer version of headworks.")]
        found += [
            Finding(check=name, about=about, state=state, text=text, advice=advice)
            for about, state, text, advice in rows
        ]
    return found
