# From the end of a delivery's data to the EXISTS of a client in IDLE.
about = "Delivery to IDLE push"
users_from = 8000
warmup = 2
seconds = 15
group idle {
    clients = 100
    tls = full
    loop = closed
    begin = {"connect", "login", "select"}
    act idle { do = {"idle-push 5000"} }
    end = {"logout"}
}
group mta {
    speaks = lmtp
    clients = 4
    mail_of = idle
    rate = 10
    size = 4096
    begin = {"lmtp-connect"}
    act deliver { do = {"lmtp-deliver"} }
    end = {"lmtp-quit"}
}
