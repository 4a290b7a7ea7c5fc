# A web server in front of the mail server, on the same network: a connection for each request, no TLS.
# SORT and THREAD are left out, and named in the result, where a server does not have them.
about = "Webmail: a connection for each request; pages of 50, one message, a search"
users_from = 3000
warmup = 3
seconds = 20
group webmail {
    clients = 100
    session = each
    rate = 0.5
    messages = 2000
    size = 4096
    begin = {"connect", "login", "select"}
    act page   { weight = 5 do = {"fetch-envelope 50"} }
    act sorted { weight = 2 do = {"sort", "fetch-envelope 50"} }
    act thread { weight = 1 do = {"thread"} }
    act read   { weight = 4 do = {"fetch-structure 1", "fetch-body", "store-seen"} }
    act search { weight = 1 do = {"search-subject", "fetch-envelope 50"} }
    act flag   { weight = 1 do = {"store-flag"} }
    end = {"logout"}
}
