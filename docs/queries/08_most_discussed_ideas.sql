-- Which ideas are discussed most?
-- Returns: the ideas with the most comments by people other than their authors, with these comments and the votes.
--   Items cleared by the start of a stage are included in the comments, but not in the votes.
-- Change: the community, and the number of ideas (last line).
WITH parameters AS (SELECT 'acme' AS community)
SELECT i.id AS idea_id, i.title, c.title AS challenge, l.responses, l.votes
FROM parameters
JOIN mart_idea_lifecycle l ON l.community = parameters.community
JOIN ideas i ON i.community = l.community AND i.id = l.idea_id
LEFT JOIN challenges c ON c.community = l.community AND c.id = l.challenge_id
WHERE l.responses > 0
ORDER BY l.responses DESC, l.votes DESC, i.id
LIMIT 10
