// The resource of CloudNativePG's Barman plugin, of which no package has a model. CloudNativePG has one of its largest
// part, the configuration, which was a part of a Cluster before there was the plugin. What is around it is written here
// as the plugin's documents have it, and only as far as we use it.
import type { IIoK8sApimachineryPkgApisMetaV1ObjectMeta as IObjectMeta } from "@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta";
import {
  BarmanObjectStoreConfiguration,
  type IBarmanObjectStoreConfiguration,
} from "@kubernetes-models/cloudnative-pg/github.com/cloudnative-pg/barman-cloud/pkg/api/BarmanObjectStoreConfiguration";

export interface IObjectStore {
  apiVersion: "barmancloud.cnpg.io/v1";
  kind: "ObjectStore";
  metadata: IObjectMeta;
  spec: {
    configuration: IBarmanObjectStoreConfiguration;
    retentionPolicy?: `${number}${"d" | "w" | "m"}`;
  };
}

export class ObjectStore {
  resource: IObjectStore;

  constructor(resource: IObjectStore) {
    this.resource = resource;
  }

  validate(): void {
    new BarmanObjectStoreConfiguration(this.resource.spec.configuration).validate();
  }
}
