about = "SELECT of 100,000 messages, again on the same connection"
loop = closed
users_from = 0
warmup = 1
seconds = 5
group user {
    clients = 1
    tls = none
    messages = 100000
    size = 12288
    begin = {"connect", "login", "select"}
    act one { do = {"select"} }
    end = {"logout"}
}
