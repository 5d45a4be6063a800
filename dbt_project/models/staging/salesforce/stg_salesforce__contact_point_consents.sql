{{ stage_records(source('landing', 'salesforce__contact_point_consents'), [
    ['consent_id', 'Id', 'text'],
    ['contact_point_id', 'ContactPointId', 'text'],
    ['purpose_id', 'DataUsePurposeId', 'text'],
    ['status', 'PrivacyConsentStatus', 'text'],
    ['effective_from', 'EffectiveFrom', 'timestamp'],
    ['effective_to', 'EffectiveTo', 'timestamp'],
    ['captured_at', 'CaptureDate', 'timestamp'],
    ['created_at', 'CreatedDate', 'timestamp'],
]) }}
