about = "connect, LOGIN, LOGOUT, full TLS handshake"
loop = closed
users_from = 0
warmup = 1
seconds = 5
group user {
    clients = 4
    tls = full
    session = each
    begin = {"connect", "login"}
    act come { do = {"logout"} }
}
