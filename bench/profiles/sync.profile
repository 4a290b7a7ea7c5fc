# A tool that keeps a copy of a mailbox, such as offlineimap or mbsync: all UIDs and flags each time, then what it lacks.
about = "Sync tools: all UIDs and flags of 5,000 messages on each connection, then some bodies"
users_from = 4000
warmup = 3
seconds = 20
group sync {
    clients = 40
    tls = full
    session = each
    rate = 0.2
    messages = 5000
    size = 4096
    begin = {"connect", "login", "list", "select"}
    act flags  { weight = 3 do = {"fetch-flags"} }
    act bodies { weight = 1 do = {"fetch-flags", "fetch-body 20", "store-flag"} }
    end = {"logout"}
}
