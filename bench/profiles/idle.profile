# Connections that do nothing; --clients says how many. What counts is memory: pss_bytes_begun beside pss_bytes_before.
about = "Idle IMAPS connections, INBOX selected, in IDLE"
users_from = 10000
warmup = 1
seconds = 5
group idle {
    clients = 1000
    tls = full
    loop = closed
    begin = {"connect", "login", "select"}
    act idle { do = {"idle 4000"} }
    end = {"logout"}
}
