-- What were an idea's stage and status on a day, since when, and until when? How long has it been in its present stage?
-- Returns: one row each for its challenge, stage, status, moderation, approval and labels at that moment. observed_to
--   is empty where it is still so; then days_in_stage says how long the idea has been in the stage. Where
--   is_left_censored is true, it may have been so before observed_from, too. Times are in UTC, as fine as the schedule
--   of the syncs.
-- Change: the community, the idea's id, and the moment (in both places; +00 is UTC).
WITH asked AS (SELECT 'acme' AS community, '101' AS idea_id),
then_seen AS (
    SELECT * FROM idea_history
    WHERE observed_from <= '2026-03-03 12:00:00+00'
      AND (observed_to > '2026-03-03 12:00:00+00' OR observed_to IS NULL)
)
SELECT h.attribute, h.value, h.name, h.observed_from, h.observed_to, h.is_left_censored,
       CASE WHEN h.attribute = 'stage' AND h.observed_to IS NULL THEN l.stage_age_seconds / 86400 END AS days_in_stage
FROM asked
JOIN then_seen h ON h.community = asked.community AND h.idea_id = asked.idea_id
LEFT JOIN mart_idea_lifecycle l ON l.community = h.community AND l.idea_id = h.idea_id
ORDER BY h.attribute, h.value
