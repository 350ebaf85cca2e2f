-- One query per table, which runs unchanged on SQLite and PostgreSQL. Each begins with a line with the table's name.

-- challenges
-- Which challenges are open now, and until when?
SELECT title, type, deadline_at, idea_count
FROM challenges
WHERE community = 'acme' AND _deleted_at IS NULL
  AND (starts_at <= CURRENT_TIMESTAMP OR starts_at IS NULL) AND (deadline_at > CURRENT_TIMESTAMP OR deadline_at IS NULL)
ORDER BY deadline_at;

-- challenge_stages
-- Which stages does each challenge have?
SELECT c.title, s.position, s.name, s.kind, s.starts_at, s.ends_at
FROM challenge_stages s
JOIN challenges c ON c.community = s.community AND c.id = s.challenge_id
WHERE s.community = 'acme' AND s._deleted_at IS NULL
ORDER BY c.title, s.position;

-- ideas
-- What are the newest ideas, and in which challenge are they?
SELECT i.created_at, i.title, c.title AS challenge, i.status
FROM ideas i
JOIN challenges c ON c.community = i.community AND c.id = i.challenge_id
WHERE i.community = 'acme' AND i._deleted_at IS NULL AND i.created_at IS NOT NULL
ORDER BY i.created_at DESC
LIMIT 20;

-- idea_labels
-- How many ideas have each label? Labels can be renamed, so the query groups by id.
SELECT label_id, MAX(name) AS name, COUNT(*) AS ideas
FROM idea_labels
WHERE community = 'acme' AND _deleted_at IS NULL
GROUP BY label_id
ORDER BY ideas DESC;

-- idea_tags
-- Which tags are used most?
SELECT tag, COUNT(*) AS ideas
FROM idea_tags
WHERE community = 'acme' AND _deleted_at IS NULL
GROUP BY tag
ORDER BY ideas DESC
LIMIT 20;

-- idea_coauthors
-- Which ideas have the most co-authors?
SELECT i.title, COUNT(*) AS coauthors
FROM idea_coauthors a
JOIN ideas i ON i.community = a.community AND i.id = a.idea_id
WHERE a.community = 'acme' AND a._deleted_at IS NULL AND i._deleted_at IS NULL
GROUP BY i.id, i.title
ORDER BY coauthors DESC
LIMIT 20;

-- idea_answers
-- How often was each answer given to each question?
SELECT label AS question, value AS answer, COUNT(*) AS ideas
FROM idea_answers
WHERE community = 'acme' AND _deleted_at IS NULL
GROUP BY question_id, label, value
ORDER BY question, ideas DESC;

-- idea_attachments
-- What is attached to ideas, and how large is it?
SELECT kind, COUNT(*) AS files, SUM(size_bytes) / 1000000.0 AS megabytes
FROM idea_attachments
WHERE community = 'acme' AND _deleted_at IS NULL
GROUP BY kind;

-- comments
-- Which ideas have the most comments? Comments by the authors and on removed ideas are included.
SELECT i.title, COUNT(*) AS comments, COUNT(DISTINCT m.author_id) AS people
FROM comments m
JOIN ideas i ON i.community = m.community AND i.id = m.idea_id
WHERE m.community = 'acme' AND m._deleted_at IS NULL AND i._deleted_at IS NULL
GROUP BY i.id, i.title
ORDER BY comments DESC
LIMIT 20;

-- votes
-- Which ideas got the most stars on average? Do not mix values of different voting types.
SELECT i.title, COUNT(*) AS votes, AVG(v.value) AS stars
FROM votes v
JOIN ideas i ON i.community = v.community AND i.id = v.idea_id
WHERE v.community = 'acme' AND v.voting_type = 'stars' AND v._deleted_at IS NULL AND i._deleted_at IS NULL
GROUP BY i.id, i.title
ORDER BY stars DESC, votes DESC
LIMIT 20;

-- vote_ratings
-- What is the average rating for each criterion of the scorecards?
SELECT criterion_id, MAX(criterion) AS criterion, COUNT(*) AS ratings, AVG(rating) AS average
FROM vote_ratings
WHERE community = 'acme' AND _deleted_at IS NULL
GROUP BY criterion_id;

-- users
-- How many people are there, by role and status?
SELECT role, status, COUNT(*) AS people
FROM users
WHERE community = 'acme' AND _deleted_at IS NULL
GROUP BY role, status
ORDER BY people DESC;

-- user_answers
-- How many people gave each answer in their profiles?
SELECT label AS question, value AS answer, COUNT(*) AS people
FROM user_answers
WHERE community = 'acme' AND _deleted_at IS NULL
GROUP BY question_id, label, value
ORDER BY question, people DESC;

-- idea_history
-- Which stages has each idea been in, and when was it seen there?
SELECT i.title, h.name AS stage, h.observed_from, h.observed_to, h.is_left_censored
FROM idea_history h
JOIN ideas i ON i.community = h.community AND i.id = h.idea_id
WHERE h.community = 'acme' AND h.attribute = 'stage'
ORDER BY i.id, h.observed_from;

-- label_classes
-- Which labels have no class yet?
SELECT l.label_id, MAX(l.name) AS name, COUNT(*) AS ideas
FROM idea_labels l
LEFT JOIN label_classes k ON k.community = l.community AND k.label_id = l.label_id
WHERE l.community = 'acme' AND l._deleted_at IS NULL AND k.label_id IS NULL
GROUP BY l.label_id
ORDER BY ideas DESC;

-- mart_daily_activity
-- How active was the community, day by day?
SELECT day, ideas, comments, votes, contributors, active_28d, participation_rate
FROM mart_daily_activity
WHERE community = 'acme'
ORDER BY day DESC
LIMIT 90;

-- mart_challenges
-- Which challenges have the most contributors?
SELECT title, ideas, contributors, participation_rate, comments_per_idea, without_response_rate
FROM mart_challenges
WHERE community = 'acme'
ORDER BY contributors DESC;

-- mart_challenge_votes
-- How did people vote in each challenge? One row per voting type, because their values cannot be compared.
SELECT c.title, v.voting_type, v.votes, v.voters, v.value_sum, v.value_average
FROM mart_challenge_votes v
JOIN mart_challenges c ON c.community = v.community AND c.challenge_id = v.challenge_id
WHERE v.community = 'acme'
ORDER BY c.title, v.votes DESC;

-- mart_funnel
-- How far do ideas get in each challenge?
SELECT c.title, f.place, f.name, f.ideas, f.reached, f.currently_in, f.conversion
FROM mart_funnel f
JOIN mart_challenges c ON c.community = f.community AND c.challenge_id = f.challenge_id
WHERE f.community = 'acme'
ORDER BY c.title, f.place;

-- mart_stage_times
-- In which stages do ideas wait longest, in days?
SELECT name, ideas, median_seconds / 86400.0 AS median_days, p90_seconds / 86400.0 AS p90_days, still_in
FROM mart_stage_times
WHERE community = 'acme' AND ideas > 0
ORDER BY median_seconds DESC;

-- mart_idea_lifecycle
-- Which ideas have no response yet, oldest first?
SELECT i.title, l.submitted_at, l.age_seconds / 86400 AS age_days, l.votes
FROM mart_idea_lifecycle l
JOIN ideas i ON i.community = l.community AND i.id = l.idea_id
WHERE l.community = 'acme' AND l.responses = 0
ORDER BY l.submitted_at
LIMIT 20;

-- mart_response_times
-- How long do ideas wait for a response, in hours?
SELECT c.title, r.ideas, r.answered_rate, r.median_seconds / 3600.0 AS median_hours
FROM mart_response_times r
JOIN mart_challenges c ON c.community = r.community AND c.challenge_id = r.challenge_id
WHERE r.community = 'acme'
ORDER BY r.answered_rate;

-- mart_adoption
-- What share of each challenge's ideas was adopted?
SELECT c.title, a.ideas, a.ideas_ever AS adopted, a.rate
FROM mart_adoption a
JOIN mart_challenges c ON c.community = a.community AND c.challenge_id = a.challenge_id
WHERE a.community = 'acme' AND a.class = 'adopted'
ORDER BY a.rate DESC;

-- mart_contributors
-- Who contributes most?
SELECT u.display_name, p.engagement_level, p.ideas, p.comments, p.votes, p.active_days
FROM mart_contributors p
JOIN users u ON u.community = p.community AND u.id = p.user_id
WHERE p.community = 'acme' AND p.rank <= 20
ORDER BY p.rank;

-- mart_engagement
-- How many people are there at each engagement level?
SELECT engagement_level, people, share
FROM mart_engagement
WHERE community = 'acme'
ORDER BY people DESC;

-- mart_concentration
-- What share of all contributions comes from the most active people?
SELECT top_percent, people, share
FROM mart_concentration
WHERE community = 'acme'
ORDER BY top_percent;

-- mart_cohorts
-- How many people still contribute some months after their first contribution?
SELECT cohort_month, months_later, cohort_size, active, retention
FROM mart_cohorts
WHERE community = 'acme'
ORDER BY cohort_month, months_later;

-- mart_moderation
-- Which challenges have the most removed and pending ideas?
SELECT c.title, m.ideas, m.removed, m.removed_rate, m.pending, m.median_delay_seconds
FROM mart_moderation m
JOIN challenges c ON c.community = m.community AND c.id = m.challenge_id
WHERE m.community = 'acme'
ORDER BY m.removed DESC, m.pending DESC;

-- mart_people
-- How many people are there, by status?
SELECT status, people, admins
FROM mart_people
WHERE community = 'acme'
ORDER BY people DESC;

-- mart_communities
-- Which communities are there, and where did activity grow?
SELECT community, people, contributions_28d, contributions_change, last_complete_at, findings
FROM mart_communities
ORDER BY contributions_28d DESC;

-- _sync_runs
-- What were the last runs, and how did they end?
SELECT started_at, mode, finished_at, verdict, reason
FROM _sync_runs
WHERE community = 'acme'
ORDER BY started_at DESC
LIMIT 20;

-- _sync_streams
-- When was each stream last complete?
SELECT stream, MAX(finished_at) AS completed_at
FROM _sync_streams
WHERE community = 'acme' AND verdict = 'complete'
GROUP BY stream;

-- _sync_scopes
-- Which scopes needed the most requests in the last run that swept any?
SELECT stream, scope, verdict, requests, pages, seen, reason
FROM _sync_scopes
WHERE community = 'acme' AND run_id = (
  SELECT run_id FROM _sync_scopes WHERE community = 'acme' ORDER BY swept_at DESC LIMIT 1
)
ORDER BY requests DESC
LIMIT 20;

-- _scopes
-- Which scopes have not been complete for the longest time?
SELECT stream, scope, completed_at
FROM _scopes
WHERE community = 'acme'
ORDER BY completed_at
LIMIT 20;

-- _rejected_records
-- Which values and records were rejected, and why? Without a column, the whole record was rejected.
SELECT table_name, column_name, reason, COUNT(*) AS rejects, MIN(first_seen_at) AS since
FROM _rejected_records
WHERE community = 'acme'
GROUP BY table_name, column_name, reason
ORDER BY rejects DESC;

-- _absences
-- Which rows are held, and why?
SELECT stream, held_because, COUNT(*) AS held, MIN(noticed_at) AS since
FROM _absences
WHERE community = 'acme'
GROUP BY stream, held_because;

-- _fields
-- Which fields of the API fill no column?
SELECT table_name, field, kinds, records, of_records, first_seen_at
FROM _fields
WHERE community = 'acme' AND NOT is_mapped AND missing_since IS NULL
ORDER BY table_name, field;

-- _account
-- Which role does the API's account have?
SELECT role, accepted_at
FROM _account
WHERE community = 'acme';

-- _fences
-- Which run may write, if several machines share the API account?
SELECT account, fence, taken_at, session IS NOT NULL AS is_running
FROM _fences
WHERE community = 'acme';

-- _archives
-- Which machines keep archived pages, and has each of them been freed from all erased people?
SELECT place, noted_at, erasures = (SELECT COUNT(*) FROM _erasures WHERE community = 'acme') AS is_clean
FROM _archives
WHERE community = 'acme';

-- _erasures
-- How many people were erased, and why?
SELECT because, COUNT(DISTINCT surrogate) AS people, MAX(erased_at) AS last_at
FROM _erasures
WHERE community = 'acme'
GROUP BY because;

-- _policies
-- What is kept of people, and since when is everything stored held to that?
SELECT policy, applied_at
FROM _policies
WHERE community = 'acme';

-- _marts
-- When were the marts built, and in which time zone?
SELECT mart, rows, as_of, timezone, built_at
FROM _marts
WHERE community = 'acme'
ORDER BY mart;

-- _warehouse
-- Which version do the tables have?
SELECT program, schema_version, created_at
FROM _warehouse;
