-- How do people vote, by voting type?
-- Returns: one row per challenge and voting type: votes, voters, ideas, votes against, and the sum and average of the
--   values. Read the sum for thumbs and points, and the average for stars and scorecards. Do not add different types.
-- Change: the community.
WITH parameters AS (SELECT 'acme' AS community)
SELECT c.title, v.voting_type, v.votes, v.voters, v.ideas, v.votes_against,
       round(CAST(v.value_sum AS NUMERIC), 2) AS value_sum, round(CAST(v.value_average AS NUMERIC), 2) AS value_average
FROM parameters
JOIN mart_challenge_votes v ON v.community = parameters.community
JOIN mart_challenges c ON c.community = v.community AND c.challenge_id = v.challenge_id
ORDER BY c.title, v.voting_type
