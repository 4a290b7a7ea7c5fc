# After a network failure everybody comes back: full and resumed handshakes side by side.
about = "Login storm: connect, TLS, LOGIN, LOGOUT; half with a full handshake, half with a ticket"
users_from = 7000
warmup = 2
seconds = 15
group full {
    clients = 100
    tls = full
    session = each
    rate = 1
    begin = {"connect", "login"}
    act come { do = {"noop"} }
    end = {"logout"}
}
group resumed {
    clients = 100
    tls = resumed
    session = each
    rate = 1
    begin = {"connect", "login"}
    act come { do = {"noop"} }
    end = {"logout"}
}
