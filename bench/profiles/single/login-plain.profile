about = "connect, LOGIN, LOGOUT, plain"
loop = closed
users_from = 0
warmup = 1
seconds = 5
group user {
    clients = 4
    tls = none
    session = each
    begin = {"connect", "login"}
    act come { do = {"logout"} }
}
