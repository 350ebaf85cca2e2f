-- Which challenges have the most contributors?
-- Returns: one row per challenge, by descending number of contributors: its ideas, comments and votes, the number of
--   people who contributed, the number of registered people, and the percentage of these who contributed.
-- Change: the community.
WITH parameters AS (SELECT 'acme' AS community)
SELECT c.title, c.ideas, c.comments, c.votes, c.contributors, c.registered,
       round(CAST(100 * c.participation_rate AS NUMERIC), 1) AS participation_percent
FROM parameters
JOIN mart_challenges c ON c.community = parameters.community
ORDER BY c.contributors DESC, c.title
