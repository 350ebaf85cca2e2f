-- Where do ideas get stuck?
-- Returns: one row per stage, by challenge and in the order of the stages: the number of ideas that reached it, the
--   percentage of these that reached the next stage (empty for the last), the number of ideas in it now, and for how
--   many days they have been there (median and longest). A bottleneck has a low percentage and long times. Stages whose
--   place is not known come last.
-- Change: the community.
WITH parameters AS (SELECT 'acme' AS community)
SELECT c.title AS challenge, f.place, f.name AS stage, f.reached,
       round(CAST(100 * f.conversion AS NUMERIC), 1) AS went_on_percent,
       f.currently_in, t.median_age_seconds / 86400 AS median_days_in, t.oldest_age_seconds / 86400 AS longest_days_in
FROM parameters
JOIN mart_funnel f ON f.community = parameters.community
JOIN mart_stage_times t
  ON t.community = f.community AND t.challenge_id = f.challenge_id AND t.stage_id = f.stage_id
JOIN mart_challenges c ON c.community = f.community AND c.challenge_id = f.challenge_id
ORDER BY c.title, f.challenge_id, f.place NULLS LAST, f.stage_id
