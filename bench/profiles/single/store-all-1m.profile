about = "STORE 1:* .SILENT of one flag on 1,000,000 messages"
loop = closed
users_from = 21310
warmup = 1
seconds = 10
group user {
    clients = 1
    messages = 1000000
    size = 1024
    begin = {"connect", "login", "select"}
    act one { do = {"store-all"} }
    end = {"logout"}
}
