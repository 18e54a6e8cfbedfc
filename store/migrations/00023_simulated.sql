-- +goose Up

-- A score says whether the simulator had a hand in it. Of those that are kept already, their jobs know it.
UPDATE qualifications q SET result = jsonb_set(q.result, '{simulated}', to_jsonb(j.simulated))
FROM jobs j WHERE j.id = q.job_id AND NOT q.result ? 'simulated';

-- +goose Down

UPDATE qualifications SET result = result - 'simulated';
