{{ stage_records(source('landing', 'hubspot__form_submissions'), [
    ['form_submission_id', 'conversionId', 'text'],
    ['form_id', 'formId', 'text'],
    ['contact_id', 'contactId', 'text'],
    ['submitted_at', 'submittedAt', 'timestamp'],
]) }}
