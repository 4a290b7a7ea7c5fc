# 200 users who do little. neighbour-abuser.profile is the same with one who asks for all there is, all the time.
about = "200 normal users, nobody else"
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
