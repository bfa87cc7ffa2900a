"""The local mailbox: takes every mail by SMTP, keeps it, and shows it; nothing is passed on."""
