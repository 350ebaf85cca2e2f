-- How do people vote, by type of voting?
-- Returns: one row a challenge and type of vote: votes, people, ideas, the votes against, and the sum and average of
--   the values. Thumbs and points: read the sum. Stars and scorecards: read the average. Never add different types.
-- Change: the community.
WITH asked AS (SELECT 'acme' AS community)
SELECT c.title, v.voting_type, v.votes, v.voters, v.ideas, v.votes_against, v.value_sum,
       round(CAST(v.value_average AS NUMERIC), 2) AS value_average
FROM asked
JOIN mart_challenge_votes v ON v.community = asked.community
JOIN mart_challenges c ON c.community = v.community AND c.challenge_id = v.challenge_id
ORDER BY c.title, v.voting_type
