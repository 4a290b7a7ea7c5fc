about = "LMTP, 256 sessions, 4 KiB, each message to one of 64 users"
loop = closed
users_from = 20000
warmup = 1
seconds = 5
group user {
    clients = 64
    tls = none
}
group mta {
    speaks = lmtp
    clients = 256
    mail_of = user
    size = 4096
    begin = {"lmtp-connect"}
    act deliver { do = {"lmtp-deliver"} }
    end = {"lmtp-quit"}
}
