"""Where each domain stands: whose it is, how far a move is, and who answers."""

from extraction.console import Console
from extraction.deployment.port import Deployment
from infra import stages


def show_status(place: Deployment, console: Console) -> None:
    """Say where each domain stands."""
    moved = place.endpoints.transitions.load_all()
    answers = place.served_by(frozenset(stages.DOMAINS))
    for domain in stages.DOMAINS:
        noted = moved.get(domain)
        owner = noted.owner if noted else (domain if domain in place.extracted else "monolith")
        text = f"{domain:8} owner {owner:9} answered by {answers[domain]:9}"
        if noted and noted.state != "settled":
            direction = "on its way out" if _is_out(noted.progress) else "on its way back"
            text += f" {direction}, {noted.state}, phase {noted.phase or 'prepare'}"
            standing = place.endpoints.ownership(domain).load().state
            text += f", service {standing}"
            if pages := noted.progress.get("after"):
                done = [name for name, after in pages.items() if after is None]
                text += f" (copied: {', '.join(done) or 'not everything yet'})"
        console.say(text)


def _is_out(progress: dict[str, object]) -> bool:
    return progress.get("direction") == "extract"
