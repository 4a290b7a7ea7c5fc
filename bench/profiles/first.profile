about = "Clients that look, read and flag, over TLS and without"
loop = open
seed = 1
warmup = 1
seconds = 5
group plain {
    clients = 16
    rate = 5
    messages = 200
    begin = {"connect", "login", "select"}
    act look { weight = 6  do = {"noop"} }
    act page { weight = 2  do = {"fetch-envelope 50"} }
    act read { weight = 2  do = {"fetch-body", "store-seen"} }
    end = {"logout"}
}
group tls {
    clients = 16
    tls = full
    rate = 5
    messages = 200
    begin = {"connect", "login", "select"}
    act look { weight = 6  do = {"noop"} }
    act page { weight = 2  do = {"fetch-envelope 50"} }
    act read { weight = 2  do = {"fetch-body", "store-flag"} }
    end = {"logout"}
}
