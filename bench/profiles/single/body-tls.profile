about = "FETCH BODY[] of 500 messages of 12 KiB, TLS"
loop = closed
users_from = 0
warmup = 1
seconds = 5
group user {
    clients = 1
    tls = full
    messages = 100000
    size = 12288
    begin = {"connect", "login", "select"}
    act one { do = {"fetch-body 500"} }
    end = {"logout"}
}
