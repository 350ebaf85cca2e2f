-- Which challenges do most people take part in?
-- Returns: one row a challenge, the one with the most people first: its ideas, comments and votes, how many people
--   took part, and what percentage of the registered people that is (of those who are still registered).
-- Change: the community.
WITH asked AS (SELECT 'acme' AS community)
SELECT c.title, c.ideas, c.comments, c.votes, c.contributors, c.registered,
       round(CAST(100 * c.participation_rate AS NUMERIC), 1) AS participation_percent
FROM asked
JOIN mart_challenges c ON c.community = asked.community
ORDER BY c.contributors DESC, c.title
