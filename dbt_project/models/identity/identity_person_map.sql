{{ resolved('person', 'person_id') }}
