-- Which ideas are discussed most?
-- Returns: the ideas with the most comments by others than their authors, with these and the votes. What the start of a
--   stage cleared counts among the comments, and not among the votes.
-- Change: the community, and how many ideas (the last line).
WITH asked AS (SELECT 'acme' AS community)
SELECT i.id AS idea_id, i.title, c.title AS challenge, l.responses, l.votes
FROM asked
JOIN mart_idea_lifecycle l ON l.community = asked.community
JOIN ideas i ON i.community = l.community AND i.id = l.idea_id
LEFT JOIN challenges c ON c.community = l.community AND c.id = l.challenge_id
WHERE l.responses > 0
ORDER BY l.responses DESC, l.votes DESC, i.id
LIMIT 10
