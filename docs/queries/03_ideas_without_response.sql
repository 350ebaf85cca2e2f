-- Which ideas have no response?
-- Returns: one row per idea without a comment by anybody except its authors, oldest first: the days it has waited, and
--   its votes. Ideas whose time of submission is not known come last, without a number of days.
-- Change: the community, and the number of days that an idea may wait.
WITH parameters AS (SELECT 'acme' AS community, 7 AS days)
SELECT i.id AS idea_id, i.title, c.title AS challenge, l.submitted_at, l.age_seconds / 86400 AS days_waited, l.votes
FROM parameters
JOIN mart_idea_lifecycle l ON l.community = parameters.community
JOIN ideas i ON i.community = l.community AND i.id = l.idea_id
LEFT JOIN challenges c ON c.community = l.community AND c.id = l.challenge_id
WHERE l.responses = 0 AND (l.age_seconds >= parameters.days * 86400 OR l.age_seconds IS NULL)
ORDER BY l.age_seconds DESC NULLS LAST, i.id
