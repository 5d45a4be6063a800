{{ stage_records(source('landing', 'salesforce__individuals'), [
    ['individual_id', 'Id', 'text'],
    ['is_out_of_tracking', 'HasOptedOutTracking', 'boolean'],
    ['is_out_of_profiling', 'HasOptedOutProfiling', 'boolean'],
    ['is_out_of_processing', 'HasOptedOutProcessing', 'boolean'],
    ['is_out_of_soliciting', 'HasOptedOutSolicit', 'boolean'],
    ['is_out_of_locating', 'HasOptedOutGeoTracking', 'boolean'],
    ['is_to_be_forgotten', 'ShouldForget', 'boolean'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
