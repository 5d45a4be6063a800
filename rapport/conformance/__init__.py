"""The conformance battery: does a connector keep every row whatever the vendor does to it?

A connector is run against a stage: its vendor's emulator, a database or a folder, made small and
then harmed in some forty named ways. After each the laws are looked at. Never a real vendor.

    faults   what is done, as data          laws     what must hold all the same
    stage    what a connector runs against  play     syncs on a stage, and what came of them
    killing  real processes, killed         report   the table

Does not belong here: how a vendor's emulator behaves (`sandbox`), or unit tests.
"""
