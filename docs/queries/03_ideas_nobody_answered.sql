-- Which ideas has nobody answered?
-- Returns: one row an idea on which nobody but its authors has commented, the oldest first: how many days it has
--   waited, and how many votes it has.
-- Change: the community, and for how many days an idea may wait.
WITH asked AS (SELECT 'acme' AS community, 7 AS days)
SELECT i.id AS idea_id, i.title, c.title AS challenge, l.submitted_at, l.age_seconds / 86400 AS days_waited, l.votes
FROM asked
JOIN mart_idea_lifecycle l ON l.community = asked.community
JOIN ideas i ON i.community = l.community AND i.id = l.idea_id
LEFT JOIN challenges c ON c.community = l.community AND c.id = l.challenge_id
WHERE l.responses = 0 AND l.age_seconds >= asked.days * 86400
ORDER BY l.age_seconds DESC, i.id
