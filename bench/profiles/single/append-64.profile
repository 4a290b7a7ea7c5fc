about = "APPEND, 64 connections, each to an INBOX of its own, 12 KiB"
loop = closed
users_from = 21000
warmup = 1
seconds = 5
group user {
    clients = 64
    size = 12288
    begin = {"connect", "login"}
    act append { do = {"append"} }
    end = {"logout"}
}
