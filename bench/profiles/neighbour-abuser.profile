# The same as neighbour.profile with one abuser: what counts is what becomes of normal/look and the others.
about = "200 normal users and one who asks for all of 100,000 messages, all the time"
users_from = 9000
warmup = 2
seconds = 20
group normal {
    clients = 200
    rate = 1
    messages = 100
    size = 4096
    begin = {"connect", "login", "select"}
    act look { weight = 6 do = {"noop"} }
    act page { weight = 2 do = {"fetch-envelope 50"} }
    act read { weight = 2 do = {"fetch-body", "store-seen"} }
    end = {"logout"}
}
group abuser {
    clients = 4
    loop = closed
    messages = 100000
    size = 1024
    begin = {"connect", "login", "select"}
    act all { do = {"fetch-envelope", "search-body"} }
}
