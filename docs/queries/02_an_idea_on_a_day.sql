-- What were the stage, status and labels of an idea on a given day?
-- Returns: one row each for challenge, stage, status, moderation, approval and every label at that moment. observed_to
--   is empty if the value is still current; days_in_stage then has the days since the idea entered its stage. If
--   is_left_censored is true, the value may be older than observed_from. Times are in UTC, and only as precise as the
--   schedule of the syncs.
-- Change: the community, the idea's id, and the moment (in both places; +00 is UTC).
WITH parameters AS (SELECT 'acme' AS community, '101' AS idea_id),
at_moment AS (
    SELECT * FROM idea_history
    WHERE observed_from <= '2026-03-03 12:00:00.000000+00'
      AND (observed_to > '2026-03-03 12:00:00.000000+00' OR observed_to IS NULL)
)
SELECT h.attribute, h.value, h.name, h.observed_from, h.observed_to, h.is_left_censored,
       CASE WHEN h.attribute = 'stage' AND h.observed_to IS NULL THEN l.stage_age_seconds / 86400 END AS days_in_stage
FROM parameters
JOIN at_moment h ON h.community = parameters.community AND h.idea_id = parameters.idea_id
LEFT JOIN mart_idea_lifecycle l ON l.community = h.community AND l.idea_id = h.idea_id
ORDER BY h.attribute, h.value
