{{ stage_records(source('landing', 'hubspot__feedback_submissions'), [
    ['feedback_submission_id', 'id', 'text'],
    ['contact_id', 'properties.hs_contact_id', 'text'],
    ['survey_type', 'properties.hs_survey_type', 'text'],
    ['survey_id', 'properties.hs_survey_id', 'text'],
    ['survey_name', 'properties.hs_survey_name', 'text'],
    ['survey_channel', 'properties.hs_survey_channel', 'text'],
    ['value', 'properties.hs_value', 'decimal'],
    ['sentiment', 'properties.hs_sentiment', 'text'],
    ['response_group', 'properties.hs_response_group', 'text'],
    ['submitted_at', 'properties.hs_submission_timestamp', 'timestamp'],
    ['created_at', 'createdAt', 'timestamp'],
], custom_in='properties') }}
