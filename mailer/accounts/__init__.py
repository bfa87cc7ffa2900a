"""Who works here: people with a login, what each may do, and the record of what was done."""
