# A provider's day in small: all kinds of clients at once, and mail coming in.
about = "ISP day: desktops, phones, webmail, sync tools and deliveries at once"
users_from = 5000
warmup = 5
seconds = 60
group desktop {
    clients = 300
    tls = full
    rate = 0.1
    messages = 500
    size = 4096
    begin = {"connect", "login", "list", "select", "fetch-changes"}
    act wait  { weight = 10 do = {"idle 2000", "fetch-new"} }
    act look  { weight = 4  do = {"noop", "status"} }
    act read  { weight = 4  do = {"fetch-body", "store-seen"} }
    act write { weight = 1  do = {"append"} }
    act tidy  { weight = 1  do = {"expunge"} }
    end = {"logout"}
}
group mta {
    speaks = lmtp
    clients = 8
    mail_of = desktop
    rate = 2
    size = 4096
    begin = {"lmtp-connect"}
    act deliver { do = {"lmtp-deliver"} }
    end = {"lmtp-quit"}
}
group phone {
    clients = 300
    tls = resumed
    session = each
    rate = 0.05
    messages = 200
    size = 4096
    begin = {"connect", "login", "select", "fetch-changes"}
    act glance { weight = 5 do = {"fetch-new"} }
    act read   { weight = 3 do = {"fetch-new", "fetch-body 3", "store-seen"} }
    end = {"logout"}
}
group webmail {
    clients = 100
    session = each
    rate = 0.1
    messages = 500
    size = 4096
    begin = {"connect", "login", "select"}
    act page   { weight = 5 do = {"fetch-envelope 50"} }
    act sorted { weight = 2 do = {"sort", "fetch-envelope 50"} }
    act read   { weight = 4 do = {"fetch-structure 1", "fetch-body", "store-seen"} }
    act search { weight = 1 do = {"search-subject"} }
    end = {"logout"}
}
group sync {
    clients = 20
    tls = full
    session = each
    rate = 0.05
    messages = 2000
    size = 4096
    begin = {"connect", "login", "list", "select"}
    act flags { do = {"fetch-flags"} }
    end = {"logout"}
}
