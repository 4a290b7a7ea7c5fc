# What a desktop client that keeps all mail does: one connection for hours, IDLE, and each new message at once.
about = "Caching desktop clients: a kept connection, IDLE, new mail read as it comes"
users_from = 1000
warmup = 3
seconds = 20
group desktop {
    clients = 100
    tls = full
    rate = 0.5
    messages = 1000
    size = 4096
    begin = {"connect", "login", "list", "select", "fetch-changes"}
    act wait  { weight = 10 do = {"idle 500", "fetch-new"} }
    act look  { weight = 4  do = {"noop", "status"} }
    act read  { weight = 4  do = {"fetch-body", "store-seen"} }
    act flag  { weight = 1  do = {"store-flag"} }
    act write { weight = 1  do = {"append"} }
    act tidy  { weight = 1  do = {"expunge"} }
    end = {"logout"}
}
group mta {
    speaks = lmtp
    clients = 4
    mail_of = desktop
    rate = 2
    size = 4096
    begin = {"lmtp-connect"}
    act deliver { do = {"lmtp-deliver"} }
    end = {"lmtp-quit"}
}
