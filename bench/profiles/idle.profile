# Connections that do nothing; --clients says how many. What counts is memory: pss_bytes_end, in IDLE for five seconds, beside
# pss_bytes_before. Long enough for a server that puts sleeping clients away.
about = "Idle IMAPS connections, INBOX selected, in IDLE"
users_from = 10000
warmup = 4
seconds = 1
group idle {
    clients = 1000
    tls = full
    loop = closed
    begin = {"connect", "login", "select"}
    act idle { do = {"idle 6000"} }
    end = {"logout"}
}
