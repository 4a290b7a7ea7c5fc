# A phone that wakes up: connect with a ticket, ask what changed, fetch a little, listen for a moment, go.
# QRESYNC is what such clients use where a server has it; until then it is CONDSTORE.
about = "Phones: a short connection with a TLS ticket, what changed, a few bodies, a moment of IDLE"
users_from = 2000
warmup = 3
seconds = 20
group phone {
    clients = 200
    tls = resumed
    session = each
    rate = 0.2
    messages = 500
    size = 4096
    begin = {"connect", "login", "select", "fetch-changes"}
    act glance { weight = 5 do = {"fetch-new"} }
    act read   { weight = 3 do = {"fetch-new", "fetch-body 3", "store-seen"} }
    act listen { weight = 2 do = {"fetch-new", "idle 1000"} }
    end = {"logout"}
}
group mta {
    speaks = lmtp
    clients = 4
    mail_of = phone
    rate = 2
    size = 4096
    begin = {"lmtp-connect"}
    act deliver { do = {"lmtp-deliver"} }
    end = {"lmtp-quit"}
}
