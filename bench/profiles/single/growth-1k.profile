about = "APPEND, STORE, EXPUNGE of the newest, 1,000 messages in the mailbox"
loop = closed
users_from = 21300
warmup = 1
seconds = 5
group user {
    clients = 1
    messages = 1000
    size = 4096
    begin = {"connect", "login", "select"}
    act turn { do = {"append", "expunge"} }
    end = {"logout"}
}
