"""Names, titles and texts of the simulated community."""

from __future__ import annotations

FIRST_NAMES = (
    "Aisha",
    "Bram",
    "Chloé",
    "Dmitri",
    "Elif",
    "Fatou",
    "Grace",
    "Hiro",
    "Inés",
    "José",
    "Kai",
    "Léa",
    "Mei",
    "Noor",
    "Óscar",
    "Priya",
    "Quinn",
    "Zoë",
)
LAST_NAMES = (
    "Adeyemi",
    "Berg",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "García",
    "Haddad",
    "Ito",
    "Jensen",
    "Kowalska",
    "Müller",
    "Nguyen",
    "Okafor",
)

CHALLENGE_TITLES = (
    "How might we waste less?",
    "A better first week",
    "Safer streets around school",
    "Meetings worth having",
    "What should the app do next?",
    "Greener ways to work",
)
VERBS = ("Share", "Replace", "Simplify", "Recycle", "Automate", "Rethink", "Celebrate", "Open")
THINGS = (
    "the bike shed",
    "expense forms",
    "onboarding",
    "the night bus",
    "paper cups",
    "status reports",
    "the café ☕",
)

PARAGRAPHS = (
    "<p>We lose an hour a week to this. A shared list would do.</p>",
    "<p>Seen at another place: they <b>just stopped</b>, and nobody noticed.</p>",
    "<p>Costs nothing &amp; saves paper 🌱🌍</p>",
    "First line\r\nsecond line\r\n\r\nand a last one",
    "<ul><li>ask</li><li>try</li><li>tell</li></ul>",
    "<p>Double-encoded &amp;amp; still readable &lt;3</p>",
    '<p>More at <a href="https://example.com/a?b=1&amp;c=2">this page</a>.</p>',
    "=SUM(A1:A9) is what the sheet says",
    "Ça marche déjà à Genève — pourquoi pas ici ? 👩‍👩‍👧‍👦",
    "نجرب هذا في الحي",
)
REMARKS = (
    "I like this 👍",
    "Has anyone asked the people who clean it?",
    "<p>+1, and it would help <i>us</i> too</p>",
    "We tried in 2019.\r\nIt failed for want of a key.",
    "Who pays?",
    "Count me in!",
    "Not convinced &mdash; what about winter?",
    "谢谢,好主意",
)

TAGS = ("climate", "cost", "culture", "café", "quick win", "safety", "tools", "travel")
LABELS = (  # id, name, colour, is_system
    ("1", "Closed", "#777777", True),
    ("2", "In next phase", "#3366cc", True),
    ("11", "Under review", "#ffaa00", False),
    ("12", "Adopted", "#22aa55", False),
    ("13", "Partly adopted", "#88cc55", False),
)
CRITERIA = (("c1", "Impact"), ("c2", "Feasibility"), ("c3", "Novelty"))
IDEA_QUESTIONS = (  # id, label, kind, answers
    ("who_benefits", "Who benefits?", "text", ("Everyone", "The night shift", "New colleagues 🙂")),
    ("costs", "What does it cost?", "choice", ("Nothing", "A little", "A lot")),
)
PROFILE_QUESTIONS = (
    ("department", "Department", ("Sales", "Care", "R&D", "Facilities")),
    ("site", "Site", ("Genève", "Leeds", "Sydney", "Austin")),
)
FILES = (  # kind, name, media type
    ("file", "plan.pdf", "application/pdf"),
    ("image", "photo du café.jpg", "image/jpeg"),
    ("video", "demo.mp4", "video/mp4"),
)
