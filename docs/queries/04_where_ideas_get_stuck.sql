-- Where do ideas get stuck?
-- Returns: one row a stage, challenge by challenge in the order of the stages: how many ideas reached it, what
--   percentage of these went on to the next (empty for the last), how many are in it now, and for how many days
--   (median, longest). The stage to look at goes on with few and keeps many for long.
-- Change: the community.
WITH asked AS (SELECT 'acme' AS community)
SELECT c.title AS challenge, f.place, f.name AS stage, f.reached,
       round(CAST(100 * f.conversion AS NUMERIC), 1) AS went_on_percent,
       f.currently_in, t.median_age_seconds / 86400 AS median_days_in, t.oldest_age_seconds / 86400 AS longest_days_in
FROM asked
JOIN mart_funnel f ON f.community = asked.community
JOIN mart_stage_times t
  ON t.community = f.community AND t.challenge_id = f.challenge_id AND t.stage_id = f.stage_id
JOIN mart_challenges c ON c.community = f.community AND c.challenge_id = f.challenge_id
ORDER BY c.title, f.challenge_id, f.place
