// publish sends orders with franz-go and the framing of its sr package:
//
//	publish BROKERS REGISTRY TOPIC SCHEMA-FILE COUNT
//
// Order n has the id "go-n", the product "Camera" and the price n / 8, which a float holds exactly.
package main

import (
	"context"
	"encoding/binary"
	"log"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

type order struct {
	id, product string
	price       float32
}

func appendString(to []byte, text string) []byte {
	return append(binary.AppendVarint(to, int64(len(text))), text...)
}

func appendOrder(to []byte, value any) ([]byte, error) {
	o := value.(order)
	to = appendString(appendString(to, o.id), o.product)
	return binary.LittleEndian.AppendUint32(to, math.Float32bits(o.price)), nil
}

func main() {
	brokers, registry, topic, file := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	count, err := strconv.Atoi(os.Args[5])
	check(err)
	text, err := os.ReadFile(file)
	check(err)
	schemas, err := sr.NewClient(sr.URLs(registry))
	check(err)
	subject, err := schemas.CreateSchema(context.Background(), topic+"-value",
		sr.Schema{Schema: string(text), Type: sr.TypeAvro})
	check(err)
	var serde sr.Serde
	serde.Register(subject.ID, order{}, sr.AppendEncodeFn(appendOrder))
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...), kgo.DefaultProduceTopic(topic))
	check(err)
	defer client.Close()
	for n := 1; n <= count; n++ {
		id := "go-" + strconv.Itoa(n)
		value, err := serde.Encode(order{id, "Camera", float32(n) / 8})
		check(err)
		client.Produce(context.Background(), &kgo.Record{Key: []byte(id), Value: value}, func(_ *kgo.Record, err error) {
			check(err)
		})
	}
	check(client.Flush(context.Background()))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
