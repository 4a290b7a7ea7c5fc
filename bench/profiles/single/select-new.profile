about = "connect, LOGIN, SELECT of 100,000 messages, LOGOUT, plain"
loop = closed
users_from = 0
warmup = 1
seconds = 5
group user {
    clients = 1
    session = each
    messages = 100000
    size = 12288
    begin = {"connect", "login"}
    act come { do = {"select", "logout"} }
}
