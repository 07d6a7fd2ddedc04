"""Checks of lab 8: posts move out of a forum, and back, while people write."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from subprocess import Popen
from typing import Any, NoReturn

from chassis.ownership.state import CACHE_TTL, OwnershipState, State
from labs.forum_probe import (
    PAGE,
    ForumProbe,
    Writer,
    Writers,
    find_lost,
    first_of,
    run_databases,
    run_forum,
)
from labs.outcome import CheckInconclusive, fail
from labs.workspace import Workspace, last_lines

COPIER = "extraction/copier.py"
EXTRACTION = "extraction/extraction.py"
EXTRACT = "extraction/extract.py"
REINTEGRATE = "extraction/reintegrate.py"
TRANSITIONS = "monolith/forum/ownership/transitions.py"
STATE = "monolith/forum/ownership/state.py"
FENCED_DATABASE = "chassis/chassis/ownership/fenced_database.py"
POSTS, PAGE_SIZE = 350, 100
KILLED = -9
_MAX_UNMARKED = 20
_CHANGES = 10
_OUTAGE_SECONDS = 2.0
_SHORT_FREEZE, _LATE_SECONDS = 0.3, 0.8
_MISLED_SECONDS = 1.0
_REPEATED = 10
"""As many as a writer writes from before the freeze until the end."""


def check_backfill(workspace: Workspace) -> None:
    """Check that a backfill copies all posts, and resumes after the mover was killed."""
    where = workspace.find_line(EXTRACTION, "def copy_pages")
    with run_databases(workspace, POSTS) as forum:
        forum.phases("prepare")
        killed = forum.move("extract", "--phases", "backfill", faults="write 2 kill")
        resumed = forum.move("extract", "--phases", "backfill")
        first = resumed.first("read", "begins")
        if killed.code == KILLED and first is not None and not first["after"]:
            fail(
                "starts-over",
                asked="a backfill, killed after its second page, and the same command again",
                got="the second run began at the first page",
                expected=f"it begins after the first {PAGE_SIZE} posts, whose copy was recorded",
                where=where,
                why="A backfill of a large forum takes hours, and would begin anew each time.",
                page=PAGE,
            )
        posts = forum.monolith_posts()
        missing = sorted(posts.keys() - forum.service_posts().keys())
        if missing:
            fail(
                "missing-posts",
                asked=f"a backfill of {len(posts)} posts, killed once and resumed",
                got=f"the service lacks {len(missing)}: {first_of(missing)}",
                expected=f"all {len(posts)} posts",
                where=workspace.find_line(COPIER, "def copy("),
                why="A post that never changes again has no event. Only the backfill copies it.",
                page=PAGE,
            )
        _expect_replicas(forum, where)
        again = forum.move("extract", "--phases", "backfill")
        if reads := again.count("read"):
            fail(
                "starts-over",
                asked="a backfill that had finished, once more",
                got=f"it read {reads} pages of posts",
                expected="none: None is stored when a copy is complete",
                where=where,
                why="A mover that dies while it fills the replicas would copy all posts again.",
                page=PAGE,
            )
        _expect_status(forum, len(posts), where)
        if killed.code != KILLED:
            msg = "the mover was not killed at its second page"
            raise CheckInconclusive(msg)


def _expect_replicas(forum: ForumProbe, where: str) -> None:
    """Fail unless the service knows the users and threads to which posts refer."""
    for name in ("threads", "people"):
        if not forum.count_items(f"posts-{name}"):
            fail(
                "missing-replicas",
                asked=f"a backfill, then the service's table posts-{name}",
                got="no item",
                expected="the users and threads to which posts refer",
                where=where,
                why="Each copy has a position of its own. The service refuses posts of users and"
                " threads that it does not know.",
                page=PAGE,
            )


def _expect_status(forum: ForumProbe, count: int, where: str) -> None:
    """Fail unless the status of the move says how many posts are copied."""
    status = forum.show_status()
    if f" {count} of {count} copied" in status:
        return
    fail(
        "wrong-status",
        asked="the status of a move whose backfill was killed, resumed and finished",
        got=status,
        expected=f'{count} of {count} copied: progress["copied"] is a table, whose entry of posts'
        " counts those of the run that was killed, too",
        where=where,
        why="A backfill takes hours. People who wait for it want to see how far it is.",
        page=PAGE,
    )


def check_catch_up(workspace: Workspace) -> None:
    """Check that nothing is missing that was written during the backfill, even after a kill."""
    where = workspace.find_line(EXTRACT, "def _copy_changes")
    with run_forum(workspace, 120) as forum, Writers(forum.url, 3) as writers:
        for _ in range(5):
            writers.act()
        forum.phases("prepare")
        with writers.writing():
            before = writers.versions
            # DynamoDB refuses one write of six, so whatever is written only once gets lost.
            with forum.writes.delayed(0.05), forum.writes.throttled(6):
                _run_watched(forum, where, "backfill,catch-up")
            if writers.versions - before < _CHANGES:
                msg = "nobody wrote during the backfill"
                raise CheckInconclusive(msg)
            killed = _run_watched(forum, where, "catch-up", faults="mark 1 kill")
        code = _run_watched(forum, where, "catch-up")
        lost = find_lost(writers.posts, forum.service_posts())
        if lost:
            fail(
                "lost-changes",
                asked=f"{writers.versions} writes, acknowledged during a backfill and a catch-up"
                " that was killed once and resumed",
                got=f"the service lacks {len(lost)}: {first_of(lost)}",
                expected="each post as it was last acknowledged",
                where=where,
                why="Whatever changes after its page was copied is only in the recorded changes. A"
                " change is forgotten if it is marked before its copy and the mover dies, or if it"
                " is written once and DynamoDB refuses it, as it did here for one write of six.",
                page=PAGE,
            )
        if left := forum.count_uncopied():
            fail(
                "never-marked",
                asked="a catch-up with nobody writing, then the column to_copy of the outbox",
                got=f"{left} changes are still to be copied",
                expected="0",
                where=where,
                why="The mover can't tell what is left, so the write freeze would copy all again.",
                page=PAGE,
            )
        if killed != KILLED or code:
            msg = "the mover was not killed while it caught up"
            raise CheckInconclusive(msg)


def _run_watched(forum: ForumProbe, where: str, phases: str, faults: str = "") -> int:
    """Run phases up to a catch-up, and return the exit code; fail if it does not end."""
    mover = forum.start_mover("extract", "--phases", phases, faults=faults)
    unmarked = 0
    while unmarked <= _MAX_UNMARKED and mover.poll() is None:
        time.sleep(0.1)
        ended = [one["point"] for one in forum.calls() if one["event"] == "ends"]
        unmarked = ended.count("uncopied") - ended.count("mark")
        if "uncopied" in ended:
            # The catch-up has to overtake the writers, so it runs without delays.
            forum.writes.delay = 0.0
    if unmarked > _MAX_UNMARKED:
        mover.kill()
        mover.wait()
        fail(
            "never-marked",
            asked="a catch-up",
            got=f"the mover found uncopied changes {unmarked} times, marked none, and did not end",
            expected="each change is copied, marked, and not found again",
            where=where,
            why="A move that does not get to an end keeps everything that it has begun.",
            page=PAGE,
        )
    return forum.finish_mover(mover, 1).code


def check_verification(workspace: Workspace) -> None:
    """Check that verification repairs what is out of date, and stops for all else."""
    where = workspace.find_line(COPIER, "def _verify")
    with run_databases(workspace, 150) as forum:
        forum.phases("prepare", "backfill", "catch-up")
        kept = forum.service_posts()
        missing, old, damaged = sorted(kept)[10:40:10]
        forum.delete_copy(kept[missing])
        forum.put_copy(kept[old] | {"version": 0, "body": "an older text"})
        run = forum.move("extract", "--phases", "verify")
        if run.code:
            forum.fail_stopped(run, "a copy lacks a post, and has an older version of one", where)
        lost = [one for one in (missing, old) if forum.service_posts().get(one) != kept[one]]
        if lost:
            fail(
                "not-repaired",
                asked="a verification of a copy that lacks a post, and has an older one",
                got=f"exit code 0, and still no right copy of {first_of(lost)}",
                expected="the owner's records, copied again",
                where=where,
                why="The phase says that both sides are equal, and the cutover believes it.",
                page=PAGE,
            )
        forum.put_copy(kept[damaged] | {"body": "a text that nobody wrote"})
        _expect_stop(forum, damaged, kept[damaged], where)
        forum.put_copy(kept[damaged])
        extra = kept[damaged] | {"id": "01ffffff-0000-7000-8000-000000000001"}
        forum.put_copy(extra)
        run = forum.move("extract", "--phases", "verify")
        if not run.code or extra["id"] not in run.output:
            fail(
                "copy-only",
                asked="a verification of a copy with a post that the owner does not have",
                got=f"exit code {run.code}, and {extra['id']} is not named",
                expected="exit code 1, with the ids of such posts",
                where=workspace.find_line(COPIER, "def find_copy_only"),
                why="After the cutover, a post appears that nobody wrote, or that was deleted.",
                page=PAGE,
            )


def _expect_stop(forum: ForumProbe, damaged: str, right: dict[str, Any], where: str) -> None:
    """Fail unless a damaged copy stops the move, and is named."""
    run = forum.move("extract", "--phases", "verify")
    if run.code and damaged in run.output:
        return
    repaired = forum.service_posts()[damaged] == right
    fail(
        "silent-repair" if repaired else "unnoticed",
        asked="a verification of a copy with the right version and another text",
        got=f"exit code {run.code}; {damaged} "
        + ("was replaced without a word" if repaired else "is still wrong, and not named"),
        expected=f"exit code 1, and {damaged} with the fields that differ",
        where=where,
        why="No event and no copier makes such a difference, so it is a defect, and will return."
        " The move has to stop before the right text is gone.",
        page=PAGE,
    )


def check_fences(workspace: Workspace) -> None:
    """Check that no write is acknowledged by a side that no longer owns posts."""
    with run_forum(workspace, 60) as forum, Writers(forum.url, 2) as writers:
        forum.phases("prepare", "backfill", "catch-up")
        _expect_deadline(forum, workspace.find_line(TRANSITIONS, "def change_owner"))
        _expect_sql_fence(forum, writers, workspace.find_line(STATE, "def fence_write"))
        where = workspace.find_line(FENCED_DATABASE, "def transact")
        _expect_dynamodb_fence(forum, writers.people[0], where)


def _expect_deadline(forum: ForumProbe, where: str) -> None:
    """Fail if the owner changes after the freeze has expired."""
    run = forum.move("hand-over", "--freeze", "0.3", faults="owner 1 pause 0.6")
    if run.code and forum.owner() == "monolith":
        return
    fail(
        "expired-freeze",
        asked="a change of owner, 0.6 s after the start of a freeze of 0.3 s",
        got=f"posts belong to {forum.owner()}; exit code {run.code}",
        expected="posts still belong to the monolith",
        where=where,
        why="When a freeze has expired, people write again. The owner may change only while the"
        " freeze proves that nobody has written since the last copy.",
        page=PAGE,
    )


def _expect_sql_fence(forum: ForumProbe, writers: Writers, where: str) -> None:
    """Fail if a write that began before the freeze is acknowledged by the old owner after it."""
    pauses = (1.0, 2.6)
    mover = forum.start_mover("hand-over", faults="freeze 1 pause 0.5,owner 1 pause 1.2")
    forum.wait_for_call(mover, "freeze")
    sent_at = time.time()
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda one, pause: one.write(pause), writers.people, pauses))
    run = forum.finish_mover(mover, 10)
    forum.expect_success(writers.unexpected)
    frozen, changed = run.first("freeze"), run.first("owner")
    lost = find_lost(writers.posts, forum.service_posts())
    if lost:
        fail(
            "lost-writes",
            asked="two posts whose requests began before the freeze: one was written during the"
            " freeze, one after the owner had changed",
            got=f"both were acknowledged; the new owner lacks {len(lost)}: {first_of(lost)}",
            expected="both, because the monolith refused them and the new owner wrote them",
            where=where,
            why="What a request has read at its beginning is out of date when it writes. Only a"
            " check in the transaction of the write itself can refuse it.",
            page=PAGE,
        )
    struck = (
        frozen is not None
        and changed is not None
        and sent_at < frozen["at"] < sent_at + pauses[0] < changed["at"] < sent_at + pauses[1]
    )
    if run.code or not struck:
        msg = "the posts were not written at the intended moments"
        raise CheckInconclusive(msg)


def _expect_dynamodb_fence(forum: ForumProbe, writer: Writer, where: str) -> None:
    """Fail if a write that is on its way to DynamoDB gets there after the service was sealed."""
    ownership = forum.ownership()
    components = ownership.load().components
    ownership.save(OwnershipState(State.FENCED, components=components))
    time.sleep(CACHE_TTL + 0.2)
    before = forum.service_posts().keys()
    with forum.writes.delayed(0.8), ThreadPoolExecutor() as pool:
        written = pool.submit(writer.write)
        deadline = time.monotonic() + 5
        while not forum.writes.most_at_once and time.monotonic() < deadline:
            time.sleep(0.01)
        ownership.save(OwnershipState(State.SEALED, components=components))
        forum.writes.delay = 0.0
        time.sleep(1.2)
        added = sorted(forum.service_posts().keys() - before)
        ownership.save(OwnershipState(State.FENCED, components=components))
        written.result()
    forum.expect_success(writer.unexpected)
    if added:
        fail(
            "unfenced-service",
            asked="a post that was on its way to DynamoDB when the service was sealed",
            got=f"it was written all the same: {first_of(added)}",
            expected="a 503, and no item until the service may write again",
            where=where,
            why="On the way back, the monolith becomes the owner now, and never gets this post.",
            page=PAGE,
        )
    if not forum.writes.most_at_once:
        msg = "no post was on its way when the service was sealed"
        raise CheckInconclusive(msg)


def check_cutover(workspace: Workspace) -> None:
    """Check that posts change their owner while people write, and that a dead owner is noticed."""
    where = workspace.find_line(EXTRACT, "def _change_owner")
    with run_forum(workspace, 120) as forum, Writers(forum.url, 3) as writers:
        writers.act()
        with writers.writing():
            with forum.writes.delayed(0.2):
                forum.phases("prepare", "backfill")
            _expect_no_outage(writers, workspace.find_line(EXTRACT, "def backfill"))
        _expect_proof(forum, writers, where)
        with writers.writing():
            # People write between the last copy and the freeze, and after the change of owner.
            faults = "freeze 1 pause 0.7,routes 1 pause 0.3,routes 1 kill"
            run = forum.move("extract", faults=faults)
        asked = "a cutover while people write"
        forum.expect_moved(run, "posts", asked, where)
        _expect_whole(forum, writers, forum.service_posts(), where)
        if run.code != KILLED:
            forum.fail_stopped(run, asked, where)
        _expect_soak(forum, workspace.find_line(EXTRACTION, "def soak"))


def _expect_proof(forum: ForumProbe, writers: Writers, where: str) -> None:
    """Fail if the owner changes, or anything stays changed, although the last proof fails.

    The first freeze expires before the decision. Meanwhile a post gets a version that is not among
    the recorded changes, so the second freeze finds totals that differ.
    """
    faults = f"owner 1 pause {_LATE_SECONDS}"
    mover = forum.start_mover("extract", "--freeze", str(_SHORT_FREEZE), faults=faults)
    forum.wait_for_call(mover, "owner")
    if any(one["point"] == "routes" for one in forum.calls()):
        mover.kill()
        mover.wait()
        _fail_routes_first(forum, writers, where)
    changed = forum.add_versions(1)
    changed_at = time.time()
    run = forum.finish_mover(mover, 30)
    forum.add_versions(-1)
    if forum.owner() != "monolith" or run.count("owner", "begins") > 1:
        fail(
            "unproved",
            asked=f"a cutover, after post {changed} got a version in the monolith that is not among"
            " the recorded changes",
            got="the mover changed the owner, or tried to",
            expected="it stops within the freeze: the sum of versions is not that of the copy",
            where=forum.workspace.find_line(EXTRACT, "def _verify_frozen"),
            why="A change that was not recorded is in no list of the mover. Only the totals show"
            " it, and after the change of owner it is lost.",
            page=PAGE,
        )
    if run.count("routes", "begins"):
        _fail_routes_first(forum, writers, where)
    decided = run.first("owner")
    if decided is None:
        forum.expect_moved(run, "posts", "a cutover while nobody writes", where)
        return
    state = forum.ownership().load().state
    if state != State.CLOSED or not forum.owner_accepts_writes():
        left = ["the freeze goes on"] if not forum.owner_accepts_writes() else []
        left += [f"the service is {state.name}"] if state != State.CLOSED else []
        fail(
            "not-undone",
            asked="a cutover whose first freeze expired, and whose second found another total",
            got=f"posts belong to the monolith, but {' and '.join(left)}",
            expected=f"the freeze has ended, and the service is {State.CLOSED.name}",
            where=where,
            why="The move failed, so all must be as before: people write at the monolith at once,"
            " and what reaches the service is refused.",
            page=PAGE,
        )
    if changed_at > decided["at"]:
        msg = "the post was not changed before the second freeze"
        raise CheckInconclusive(msg)


def _fail_routes_first(forum: ForumProbe, writers: Writers, where: str) -> NoReturn:
    """Fail because the routes changed without the owner; let people write, and name the posts."""
    with writers.writing():
        time.sleep(_MISLED_SECONDS)
    lost = find_lost(writers.posts, forum.monolith_posts())
    misled = f" the monolith lacks {len(lost)}: {first_of(lost)}" if lost else " nothing was lost"
    fail(
        "routes-first",
        asked="a cutover in which the owner has not changed yet",
        got="posts belong to the monolith, and the routes lead to the service. People wrote there"
        f" for {_MISLED_SECONDS:g} s, and of what was acknowledged{misled}",
        expected="the routes change only after the owner",
        where=where,
        why="Requests go to a service that does not own posts. What it refuses, people can't write;"
        " what it acknowledges, the owner does not have.",
        page=PAGE,
    )


def _expect_no_outage(writers: Writers, where: str) -> None:
    """Fail if people had to wait while the existing posts were copied."""
    if (waited := writers.longest_wait) < _OUTAGE_SECONDS:
        return
    fail(
        "outage",
        asked="posts by three people, while the existing posts are copied",
        got=f"no response but 503 for {waited:.1f} s",
        expected="responses within fractions of a second: the monolith still owns posts",
        where=where,
        why="A freeze that lasts as long as the copy grows with the forum: seconds here, hours for"
        " millions of posts. And all of it again if the move fails at the end.",
        page=PAGE,
    )


def _expect_whole(
    forum: ForumProbe,
    writers: Writers,
    found: Mapping[str, Mapping[str, Any]],
    where: str,
) -> None:
    """Fail if a side lacks what was acknowledged, or has it twice."""
    if lost := find_lost(writers.posts, found):
        fail(
            "lost-posts",
            asked=f"{writers.versions} writes, acknowledged before, during and after a cutover",
            got=f"the new owner lacks {len(lost)}: {first_of(lost)}",
            expected="each post as it was last acknowledged",
            where=where,
            why="The last changes can be copied only when nobody writes any more, and the new"
            " owner may write only after that.",
            page=PAGE,
        )
    forum.expect_success(writers.unexpected)
    doubled = writers.repeat(_REPEATED)
    forum.expect_success(writers.unexpected)
    if doubled:
        fail(
            "doubled-posts",
            asked="the last posts of each writer, sent once more to the new owner with the same"
            " Idempotency-Keys",
            got=f"{len(doubled)} of them were written twice: {first_of(doubled)}",
            expected="the first response, and no other post",
            where=where,
            why="A client that lost a response to the cutover repeats the request. The responses"
            " to keys have to move within the freeze, with the last changes.",
            page=PAGE,
        )


def _expect_soak(forum: ForumProbe, where: str) -> None:
    """Fail if the move is finished although the new owner is dead, or not although it lives."""
    run = forum.move("soak")
    if run.code:
        forum.fail_stopped(run, "the soak of a service that responds", where)
    if (phase := forum.phase()) != "soak":
        fail(
            "resumes-early",
            asked="the phase that is stored with the progress, after a cutover and its soak",
            got=phase,
            expected="soak: it is the phase of the move (`self.phase`) from the beginning of soak",
            where=where,
            why="A mover that dies now would resume at a phase before the change of owner, and"
            " would freeze and copy again.",
            page=PAGE,
        )
    forum.stop("posts")
    run = forum.move("extract", "--soak", "1")
    if not run.code:
        fail(
            "no-soak",
            asked="the soak of a service that was stopped right after the cutover",
            got=f"exit code 0: {last_lines(run.output).splitlines()[-1]}",
            expected="exit code 1, because posts are served by nobody",
            where=where,
            why="Success is reported, everybody goes home, and nobody can read a post.",
            page=PAGE,
        )


def check_reintegration(workspace: Workspace) -> None:
    """Check that posts go back to the monolith while people write, with all that they wrote."""
    where = workspace.find_line(REINTEGRATE, "def _seal_service")
    with run_forum(workspace, 60) as forum, Writers(forum.url, 3) as writers:
        run = forum.move("extract", "--soak", "0")
        if run.code:
            forum.fail_stopped(run, "an extraction of posts")
        with writers.writing():
            # The second state is the freeze; after it, people write until the routes change.
            faults = "state 2 pause 0.7,routes 1 pause 0.5,soak 1 kill"
            mover = forum.start_mover("reintegrate", "--soak", "0", faults=faults)
            early = _writes_before_routes(forum, mover)
            if early:
                mover.kill()
                mover.wait()
                _fail_early_writes(workspace.find_line(REINTEGRATE, "def route"))
            run = forum.finish_mover(mover, 40)
            if run.code == KILLED:
                _expect_writable(forum, workspace.find_line(REINTEGRATE, "def route"))
        asked = "a reintegration while people write"
        forum.expect_moved(run, "monolith", asked, where)
        _expect_whole(forum, writers, forum.monolith_posts(), where)
        if run.code != KILLED:
            forum.fail_stopped(run, asked, where)
        if (state := forum.ownership().load().state) != State.CLOSED:
            fail(
                "not-closed",
                asked="the service's ownership state after a reintegration",
                got=state.name,
                expected=State.CLOSED.name,
                where=where,
                why="Requests that still reach the service would be served from old data.",
                page=PAGE,
            )


def _writes_before_routes(forum: ForumProbe, mover: "Popen[str]") -> bool:
    """Return whether the monolith accepts posts while the routes still lead to the service."""
    forum.wait_for_call(mover, "routes")
    while mover.poll() is None:
        accepts = forum.owner() == "monolith" and forum.owner_accepts_writes()
        # Read after the state, so a state that is found here was there before the routes.
        if any((one["point"], one["event"]) == ("routes", "ends") for one in forum.calls()):
            return False
        if accepts:
            return True
        time.sleep(0.01)
    return False


def _fail_early_writes(where: str) -> NoReturn:
    fail(
        "early-writes",
        asked="the state of posts in the table domains, before the routes changed",
        got="the monolith accepts posts, and the routes still lead to the service",
        expected="frozen until the routes have changed",
        where=where,
        why="The service serves reads from its own tables as long as the routes lead to it. People"
        " could write a post in the monolith and not find it a moment later.",
        page=PAGE,
    )


def _expect_writable(forum: ForumProbe, where: str) -> None:
    """Fail unless a post can be written within a few seconds."""
    if forum.owner_accepts_writes():
        return
    fail(
        "still-frozen",
        asked="the state of posts in the table domains, after the routes changed",
        got="frozen, without a deadline",
        expected="moving, and the monolith accepts posts",
        where=where,
        why="The freeze of the monolith has no deadline, so that it can't begin to write before"
        " the routes agree. Somebody has to end it: until then, each post gets a 503.",
        page=PAGE,
    )


CHECKS = (
    check_backfill,
    check_catch_up,
    check_verification,
    check_fences,
    check_cutover,
    check_reintegration,
)
