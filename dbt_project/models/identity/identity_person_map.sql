{{ resolved('person', 'per', 'person_id') }}
